"""What every handler gets, and the tag that makes a function a handler."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from schemas.attempt import AttemptError, AttemptErrorType, JoinReply
from schemas.envelope import Id, Payload, Reply, RoomPlace, ServerEvent
from schemas.generation import Generate, GenerationError
from schemas.playground import PlaygroundError
from schemas.test import Invocation, TestError, TestErrorType
from server.engine.access import Access, Identity
from server.engine.attempts import Attempts
from server.engine.conversation import Conversation
from server.engine.drafting import Generating
from server.engine.ids import derive, new
from server.engine.playground.playground import Playground
from server.engine.replay.rooms import test_room
from server.engine.replay.tests import Tests
from server.engine.voice.sessions import VoiceSessions
from server.engine.watching import Playback
from server.errors import Conflict, GreenroomError
from server.rooms.connection import Connection
from server.rooms.families import family, wire_name
from server.rooms.hub import Hub

P = TypeVar("P", bound=Payload)
R = TypeVar("R", bound=Reply)
CHAT_OVER = frozenset({"attempt_chat_ended"})
REPLAYS_OVER = frozenset({"test_all_complete"})
CYCLES_OVER = frozenset({"test_stopped"})
SESSION_OVER = frozenset({"playground_forgotten"})
Handle = Callable[["Context", Any], Awaitable[Reply]]
Fails = Callable[[GreenroomError, Payload | None], list[ServerEvent]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The engines that handlers call."""

    access: Access
    attempts: Attempts
    generating: Generating
    conversation: Conversation
    hub: Hub
    playback: Playback
    playground: Playground
    tests: Tests
    voice: VoiceSessions


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

    async def enter_test(self, invocation: Invocation) -> None:
        """Follow an invocation until its replays have ended.

        One that is stopped has not: what is replayed next may have begun before the stop is told of.
        """
        ended = CYCLES_OVER if invocation.infinite_mode else REPLAYS_OVER
        await self.enter(test_room(invocation.id), until=ended)

    async def enter_stop(self, invocation: Invocation) -> None:
        """Follow an invocation until it is stopped, unless the client has more done with it by then."""
        await self.enter(test_room(invocation.id), until=REPLAYS_OVER | CYCLES_OVER)

    async def stay_in_test(self, invocation: Invocation) -> None:
        """Follow an invocation until the client leaves it: its gradings may end after its replays."""
        await self.enter(test_room(invocation.id), until=frozenset())

    async def withdraw(self) -> None:
        """Leave the rooms that were entered for a call that failed: its ack cannot name them."""
        for place in self.entered:
            if self.connection is not None:
                await self.connection.withdraw(place.room)

    async def join(
        self,
        room: str,
        *,
        after: int | None,
        epoch: str | None,
        marker: ServerEvent | None,
        audio: bool = False,
    ) -> JoinReply:
        """Follow a room from a place; following starts in the tick in which the ack is written.

        With `audio` its sound is heard too, as long as this connection stays.
        """
        if self.connection is None:
            place = await self.services.hub.place(room, after=after, epoch=epoch)
        else:
            if self.connection.full and not self.connection.member(room):
                raise Conflict("This connection follows too many rooms; leave one first.")
            joined = await self.connection.join(room, after=after, epoch=epoch, marker=marker)
            place = joined.place
            self.after.append(joined.start)
            if audio:
                self.listen(room)
        return JoinReply(
            room=wire_name(place.room),
            epoch=place.epoch,
            offset=place.offset,
            recovered=place.recovered,
            snapshot=place.snapshot,
        )

    def listen(self, room: str) -> None:
        """Hear the sound of a room once it is followed."""
        if (connection := self.connection) is not None:
            self.after.append(lambda: self.services.hub.listen(room, connection.follower))

    async def leave(self, room: str) -> Reply:
        """Stop following a room; leaving a room one is not in succeeds."""
        if self.connection is not None:
            await self.connection.leave(room)
        return Reply()


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """A client event: its payload, what it does, and what the sender of a failure gets beside the ack.

    One that `starts_work`, such as a reply, is refused while the process stops.
    """

    event: str
    schema: type[Payload]
    fails: Fails
    run: Handle
    starts_work: bool = False


def over(room: str) -> frozenset[str]:
    """Return the events after one of which a room is left that was entered for a request done before."""
    return {"test": CYCLES_OVER, "playground": SESSION_OVER}.get(family(room), CHAT_OVER)


def attempt_error(kind: AttemptErrorType | None = None) -> Fails:
    """Tell the sender of a failure by attempt_error."""

    def fails(error: GreenroomError, payload: Payload | None) -> list[ServerEvent]:
        chat_id = _field(payload, "chat_id")
        found: AttemptErrorType | None = "rate_limit" if error.code == "rate_limited" else kind
        return [AttemptError(chat_id=chat_id, type=found, message=error.message, code=error.code)]

    return fails


def test_error(kind: TestErrorType) -> Fails:
    """Tell the sender of a failure by test_error; wrong payloads are of type validation."""

    def fails(error: GreenroomError, payload: Payload | None) -> list[ServerEvent]:
        found: TestErrorType = "validation" if error.code == "bad_request" else kind
        if error.code in ("unauthenticated", "forbidden"):
            found = "auth"
        invocation_id = _field(payload, "test_invocation_id") or _field(payload, "invocation_id")
        return [
            TestError(
                invocation_id=invocation_id,
                run_id=_field(payload, "run_id"),
                message=error.message,
                error_type=found,
                code=error.code,
            )
        ]

    return fails


def playground_error(error: GreenroomError, payload: Payload | None) -> list[ServerEvent]:
    """Tell the sender of a failure by playground_error."""
    return [PlaygroundError(message=error.message, code=error.code)]


def generation_error(error: GreenroomError, payload: Payload | None) -> list[ServerEvent]:
    """Tell the sender of a failure by generation_error."""
    asked = payload if isinstance(payload, Generate) else None
    return [
        GenerationError(
            artifact_type=asked.artifact_types[0].name if asked else "",
            group_id=asked.group_id if asked else None,
            run_id=asked.run_id if asked else None,
            message=error.message,
            code=error.code,
        )
    ]


def handles(
    schema: type[P], *, fails: Fails, starts_work: bool = False
) -> Callable[[Callable[[Context, P], Awaitable[R]]], Handler]:
    """Make a function the handler of the event that its payload class names.

    `fails` returns what the sender of a failure gets beside the ack, from the error and the payload (None
    when it is not valid). `starts_work` says that something goes on after the ack, which needs a process
    that stays.
    """

    def tag(run: Callable[[Context, P], Awaitable[R]]) -> Handler:
        return Handler(event=schema.event, schema=schema, fails=fails, run=run, starts_work=starts_work)

    return tag


def _field(payload: Payload | None, name: str) -> Id | None:
    found = getattr(payload, name, None)
    return found if isinstance(found, str) else None
