"""What every handler gets, and the tag that makes a function a handler."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from schemas.attempt import AttemptError, AttemptErrorType, JoinReply
from schemas.envelope import Id, Payload, Reply, RoomPlace, ServerEvent
from server.engine.access import Access, Identity
from server.engine.attempts import Attempts
from server.engine.conversation import Conversation
from server.engine.ids import derive, new
from server.errors import Conflict
from server.rooms.connection import Connection
from server.rooms.hub import Hub

P = TypeVar("P", bound=Payload)
R = TypeVar("R", bound=Reply)
CHAT_OVER = frozenset({"attempt_chat_ended"})
Handle = Callable[["Context", Any], Awaitable[Reply]]
Refusal = Callable[[AttemptError, Payload | None], list[ServerEvent]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The engines that handlers call."""

    access: Access
    attempts: Attempts
    conversation: Conversation
    hub: Hub


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One call: who calls, over which connection (None over plain HTTP), and the engines."""

    caller: Identity
    connection: Connection | None
    services: Services
    request_key: str | None = None
    entered: list[RoomPlace] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)

    def new_id(self, what: str) -> Id:
        """Return an id for something new; the same one when the same request is run again."""
        return derive(self.caller.key, self.request_key, what) if self.request_key else new()

    async def enter(self, room: str, *, until: frozenset[str] = CHAT_OVER) -> None:
        """Follow a room because of what the caller does; it is left by itself after one of `until`."""
        if self.connection is not None and (place := await self.connection.enter(room, until=until)):
            self.entered.append(place)

    async def withdraw(self) -> None:
        """Leave the rooms that were entered for a call that failed: its ack cannot name them."""
        for place in self.entered:
            if self.connection is not None:
                await self.connection.withdraw(place.room)

    async def join(
        self, room: str, *, after: int | None, epoch: str | None, marker: ServerEvent | None
    ) -> JoinReply:
        """Follow a room from a place; following starts in the tick in which the ack is written."""
        if self.connection is None:
            place = await self.services.hub.place(room, after=after, epoch=epoch)
        else:
            if self.connection.full and not self.connection.member(room):
                raise Conflict("This connection follows too many rooms; leave one first.")
            joined = await self.connection.join(room, after=after, epoch=epoch, marker=marker)
            place = joined.place
            self.after.append(joined.start)
        return JoinReply(
            room=place.room,
            epoch=place.epoch,
            offset=place.offset,
            recovered=place.recovered,
            snapshot=place.snapshot,
        )

    async def leave(self, room: str) -> Reply:
        """Stop following a room; leaving a room one is not in succeeds."""
        if self.connection is not None:
            await self.connection.leave(room)
        return Reply()


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """A client event: its payload, what it does, and the kind of attempt_error that its failures send."""

    event: str
    schema: type[Payload]
    error_type: AttemptErrorType | None
    run: Handle
    refusal: Refusal


def just_the_error(usual: AttemptError, payload: Payload | None) -> list[ServerEvent]:
    """Tell the sender of a failure by attempt_error alone."""
    return [usual]


def handles(
    schema: type[P], *, error_type: AttemptErrorType | None = None, refusal: Refusal = just_the_error
) -> Callable[[Callable[[Context, P], Awaitable[R]]], Handler]:
    """Make a function the handler of the event that its payload class names.

    `refusal` returns what the sender of a failure gets beside the ack, from the usual attempt_error and the
    payload (None when it is not valid).
    """

    def tag(run: Callable[[Context, P], Awaitable[R]]) -> Handler:
        return Handler(
            event=schema.event,
            schema=schema,
            error_type=error_type,
            run=run,
            refusal=refusal,
        )

    return tag
