"""The replies that this process gives: starting, stopping from anywhere, closing, taking over (core §12)."""

import asyncio
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from schemas.envelope import Id
from schemas.stored import Pending, RunningReply
from server.engine.conversation.parties import Party, ScriptedParty
from server.engine.conversation.reply import Place, Reply, ReplyEnd, reply_key
from server.engine.tasks import Tasks
from server.errors import Unavailable
from server.rooms.bell import Told
from server.rooms.hub import Hub
from server.rooms.outbox import Outboxes
from server.rooms.process import Process
from server.store.replying import ReplyingStore

A = TypeVar("A", bound=BaseModel)
STOP_SECONDS = 3.0
LOOK_SECONDS = 0.1


class Replies(Generic[A]):
    """Runs replies of the aggregates of one store; each has at most one at a time, owned by one process.

    `stopping` names what tells another process to stop replies. `settled` is called when one has ended and
    is stored, with None when another process ended it.
    """

    def __init__(
        self,
        store: ReplyingStore[A],
        *,
        stopping: Told,
        hub: Hub,
        outboxes: Outboxes,
        process: Process,
        tasks: Tasks,
        settled: Callable[[Id, A | None], None] | None = None,
    ) -> None:
        self._store = store
        self._stopping = stopping
        self._hub = hub
        self._outboxes = outboxes
        self._process = process
        self._tasks = tasks
        self._told_settled = settled
        self._replies: dict[str, Reply[A]] = {}
        self._closed = False
        hub.bell.on_told(stopping, lambda key: tasks.start(f"obey:{key}", self.obey_stops))

    @property
    def running(self) -> set[Id]:
        """Return the keys of the aggregates in which this process is producing a reply."""
        return set(self._replies)

    def start(self, place: Place[A], running: RunningReply, party: Party) -> None:
        """Produce a reply that is stored as ours; at most one task each. Once closed it ends at once."""
        reply = self._reply(place, running, party)
        if self._tasks.start(reply.key, reply.run):
            self._replies[place.key] = reply
            if self._closed:
                reply.stop("interrupted")

    async def stop(self, key: Id, running: RunningReply, *, end: ReplyEnd = "stopped") -> None:
        """Stop a reply wherever it runs; returns when it is known to do so. Raises Unavailable."""
        if (reply := self._replies.get(key)) is not None:
            reply.stop(end)
            return
        when = {"reply.message_id": running.message_id}
        await self._store.change(key, when=when, update={"$set": {"reply.stop": True}})
        self._hub.bell.tell(running.owner, self._stopping, key)

    async def ended(self, key: Id, message_id: Id) -> None:
        """Wait up to 3 s for a reply to be stored; raises Unavailable."""
        deadline = asyncio.get_running_loop().time() + STOP_SECONDS
        await self._tasks.wait(reply_key(key, message_id), STOP_SECONDS)
        while await self._store.replying(key) == message_id:
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable("The reply is being stopped, but has not ended yet; look again soon.")
            await asyncio.sleep(LOOK_SECONDS)

    async def obey_stops(self) -> None:
        """Stop replies of this process that others asked to stop; raises Unavailable."""
        for key in await self._store.stops(self._process.name):
            if (reply := self._replies.get(key)) is not None:
                reply.stop("stopped")

    async def end_strays(self) -> None:
        """Close replies of this process whose aggregate knows them no more; raises Unavailable."""
        if running := dict(self._replies):
            kept = await self._store.kept(list(running), self._process.name)
            for key, reply in running.items():
                if key not in kept:
                    reply.stop("interrupted")

    def interrupt_all(self) -> None:
        """Close all replies with what they have: this process ends, or others may own them by now."""
        for reply in list(self._replies.values()):
            reply.stop("interrupted")

    async def close(self, seconds: float) -> None:
        """Interrupt all replies, and those that start from now on.

        Returns when that is stored and on its way into the log, or time is up; may be called again.
        """
        self._closed = True
        self.interrupt_all()
        replies = list(self._replies.values())
        await asyncio.gather(*(self._tasks.wait(reply.key, seconds) for reply in replies))

    async def take_over(self, key: Id, running: RunningReply, *, room: str, place: "MakePlace[A]") -> None:
        """Close the reply of a dead process with the text that watchers have seen (core §12.3).

        `place` gets what the room's snapshot says of the running reply, {} when it says nothing.
        """
        outbox = await self._store.change(
            key,
            when={"reply.message_id": running.message_id, "reply.owner": running.owner},
            update={"$set": {"reply.owner": self._process.name}, "$inc": {"reply.fence": 1}},
        )
        if outbox is None:
            return
        await asyncio.gather(*self._outboxes.publish(self._store.name, key, outbox))
        await self._hub.settle_head(room)  # deltas of the dead that were not heard here
        snapshot = (await self._hub.place(room, after=None, epoch=None)).snapshot or {}
        seen = snapshot.get("running") or {}
        seen = seen if seen.get("message_id") == running.message_id else {}
        mine = running.model_copy(update={"owner": self._process.name, "fence": running.fence + 1})
        reply = self._reply(place(mine, seen), mine, ScriptedParty(""))
        await reply.settle(seen.get("text", ""), end="interrupted")

    def _reply(self, place: Place[A], running: RunningReply, party: Party) -> Reply[A]:
        return Reply(place, running, party=party, hub=self._hub, process=self._process, settled=self._settled)

    def _settled(self, reply: Reply[A], after: A | None, outbox: list[Pending]) -> None:
        if self._replies.get(reply.owner_key) is reply:
            del self._replies[reply.owner_key]
        if after is not None:
            self._outboxes.publish(self._store.name, reply.owner_key, outbox)
        if self._told_settled is not None:
            self._told_settled(reply.owner_key, after)


class MakePlace(Protocol[A]):
    """Makes the place of a reply that is taken over, from what its room has seen of it."""

    def __call__(self, running: RunningReply, seen: dict[str, Any]) -> Place[A]: ...
