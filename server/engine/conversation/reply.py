"""One reply: streams a party's words into a room and stores how it ended."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

import structlog
from pydantic import BaseModel

from schemas.envelope import Id, Usage
from schemas.stored import Pending, RunningReply
from server.engine.conversation.deltas import Deltas
from server.engine.conversation.parties import Party
from server.engine.conversation.utterance import Utterance
from server.errors import GreenroomError, Internal, Unavailable, Upstream
from server.rooms.hub import Hub
from server.rooms.process import Process
from server.store.aggregates import AggregateStore

log = structlog.get_logger(__name__)
RETRY_SECONDS = 0.2
ReplyEnd = Literal["complete", "stopped", "interrupted", "failed"]
Announce = Callable[[str, bytes], "asyncio.Future[int]"]
A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Closing(Generic[A]):
    """What the end of a reply stores with its events, and what the aggregate is then."""

    update: dict[str, dict[str, Any]]
    events: list[Pending]
    after: A


class Place(Protocol[A]):
    """Where a reply is given: whose it is, how its parts are told, and what its end stores.

    `key` is that of an aggregate of `store` whose field `reply` is the running reply; `delta` is the name of
    the event that tells a part, `head` its payload up to the text: `{"chat_id":"…","content":`.
    """

    key: Id
    room: str
    delta: str
    head: bytes
    store: AggregateStore[A]

    def closing(
        self, text: str, usage: Usage | None, *, end: ReplyEnd, failure: GreenroomError | None
    ) -> Closing[A]:
        """Return what is stored when the reply ends; `update` takes the running reply away."""


class Settled(Protocol[A]):
    """Called once when a reply has ended; `after` is None when another process ended it."""

    def __call__(self, reply: "Reply[A]", after: A | None, outbox: list[Pending]) -> None: ...


class Reply(Generic[A]):
    """Produces one reply under this process's lease.

    Every way it can end – complete, stopped, failed, interrupted – is one compare-and-set that stores the
    text and the closing events together. When the lease is lost it changes nothing more: another process
    closes it.
    """

    def __init__(
        self,
        place: Place[A],
        running: RunningReply,
        *,
        party: Party,
        hub: Hub,
        process: Process,
        settled: Settled[A],
    ) -> None:
        self.owner_key = place.key
        self._place = place
        self._running = running
        self._party = party
        self._process = process
        self._settled = settled
        self._end: ReplyEnd = "complete"
        self._lease = process.lease
        announce = announcing(hub, process, place.room)
        deltas = Deltas(lambda j: announce(place.delta, j), head=place.head)
        self._utterance = Utterance(party, deltas)

    @property
    def key(self) -> str:
        """Return the key of the task that runs it."""
        return reply_key(self.owner_key, self._running.message_id)

    def stop(self, end: ReplyEnd) -> None:
        """End the reply with what it has; the upstream stream is closed."""
        if self._end == "complete":
            self._end = end
        self._utterance.stop()

    async def run(self) -> None:
        """Speak, then store how it ended. Cancelling loses the reply to whoever takes it over."""
        try:
            failure = await self._spoken()
            if self._end == "complete":
                if failure is None and not self._utterance.text:
                    failure = Upstream("The model gave an empty answer; try again.")
                if failure is not None:
                    self._end = "failed"
            await self.settle(self._utterance.text, end=self._end, failure=failure)
        except Unavailable:
            log.warning("reply abandoned", **self._named)
            self._settled(self, None, [])

    async def settle(self, text: str, *, end: ReplyEnd, failure: GreenroomError | None = None) -> None:
        """Store the reply's text and its closing events; raises Unavailable when the lease is lost first.

        What cannot be stored ends the reply as failed: without its usage, or else without its text.
        """
        first = True
        for kept, usage in ((text, self._party.usage), (text, None), ("", None)):
            try:
                closing = self._place.closing(kept, usage, end=end, failure=failure)
                outbox = await self._stored(closing)
            except Unavailable:
                raise
            except Exception as error:  # a bug of ours, or of the endpoint's: the reply must end anyhow
                if first:
                    log.exception("reply broke", **self._named)
                first, end = False, "failed"
                failure = error if isinstance(error, GreenroomError) else Internal()
            else:
                self._settled(self, closing.after if outbox is not None else None, outbox or [])
                return
        self._settled(self, None, [])

    @property
    def _named(self) -> dict[str, str]:
        return {"room": self._place.room, "message_id": self._running.message_id}

    async def _spoken(self) -> GreenroomError | None:
        """Speak and return what went wrong, if anything did; raises Unavailable when the lease is lost."""
        try:
            return await self._utterance.run()
        except Unavailable:
            raise
        except Exception as error:  # a bug of ours: the reply must end anyhow
            log.exception("reply broke", **self._named)
            return error if isinstance(error, GreenroomError) else Internal()

    async def _stored(self, closing: Closing[A]) -> list[Pending] | None:
        """Try until the outcome is known or the lease is lost; the condition makes a repetition harmless."""
        when = {"reply.message_id": self._running.message_id, "reply.fence": self._running.fence}
        while True:
            try:
                return await self._place.store.change(
                    self._place.key, when=when, update=closing.update, outbox=closing.events
                )
            except Unavailable:
                if not self._process.holds(self._lease):
                    raise
                await asyncio.sleep(RETRY_SECONDS)


def reply_key(key: Id, message_id: Id) -> str:
    """Return the key of the task that runs a reply of a chat or session."""
    return f"reply:{key}:{message_id}"


def announcing(hub: Hub, process: Process, room: str) -> Announce:
    """Return how to publish (name, payload) in a room while this process has the lease that it has now.

    What it returns raises Unavailable, at once or in the future, when another process may have closed the
    reply meanwhile.
    """
    lease = process.lease

    def announce(name: str, j: bytes) -> "asyncio.Future[int]":
        if process.lease == lease:
            return hub.log.publish(room, name, j, leased=True)
        lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        lost.set_exception(Unavailable("This process has lost its lease."))
        return lost

    return announce


async def announced(announce: Announce, name: str, j: bytes, *, queued: Callable[[], None]) -> None:
    """Return when an event is in the log, however much waits for it; raises Unavailable without the lease.

    `queued` is called when the event is on its way; cancelling does not take it back any more then.
    """
    while True:
        try:
            flight = announce(name, j)
        except Unavailable:  # too much waits for the log
            await asyncio.sleep(RETRY_SECONDS)
            continue
        queued()
        await asyncio.wait([flight])
        flight.result()
        return
