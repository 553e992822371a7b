"""One reply: streams a party's words into the room and stores how it ended."""

import asyncio
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog

from schemas.attempt import (
    AttemptAssistantComplete,
    AttemptError,
    AttemptStopped,
    Chat,
    Message,
)
from schemas.envelope import Id, Usage
from schemas.stored import Pending, RunningReply, Work
from server.engine.conversation.deltas import Deltas
from server.engine.conversation.parties import Party
from server.engine.conversation.utterance import Utterance
from server.engine.ids import derive
from server.engine.pending import pending
from server.engine.watching.ops import chat_error
from server.errors import GreenroomError, Internal, Unavailable, Upstream
from server.rooms.hub import Hub
from server.rooms.process import Process
from server.store import Store

log = structlog.get_logger(__name__)
RETRY_SECONDS = 0.2
ReplyEnd = Literal["complete", "stopped", "interrupted", "failed"]


class Settled(Protocol):
    """Called once when a reply has ended; `chat` is None when another process ended it."""

    def __call__(self, reply: "Reply", chat: Chat | None, outbox: list[Pending]) -> None: ...


@dataclass(frozen=True)
class _Closing:
    """What the end of a reply stores: its message, if it leaves one, work that follows, and events."""

    message: Message | None
    work: Work | None
    events: list[Pending]


class Reply:
    """Produces one reply under this process's lease.

    Every way it can end – complete, stopped, failed, interrupted – is one compare-and-set that stores the
    text and the closing events together. When the lease is lost it changes nothing more: another process
    closes it.
    """

    def __init__(
        self,
        chat: Chat,
        running: RunningReply,
        *,
        party: Party,
        store: Store,
        hub: Hub,
        process: Process,
        settled: Settled,
    ) -> None:
        self.chat_id = chat.id
        self._chat = chat
        self._running = running
        self._party = party
        self._store = store
        self._process = process
        self._settled = settled
        self._end: ReplyEnd = "complete"
        self._hub = hub
        self._lease = process.lease
        head = b'{"chat_id":"%b","content_type":"delta","message_id":"%b","content":' % (
            chat.id.encode(),
            running.message_id.encode(),
        )
        self._utterance = Utterance(party, Deltas(self._publish, head=head))

    @property
    def key(self) -> str:
        """Return the key of the task that runs it."""
        return reply_key(self.chat_id, self._running.message_id)

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
            log.warning("reply abandoned", chat_id=self.chat_id, message_id=self._running.message_id)
            self._settled(self, None, [])

    async def _spoken(self) -> GreenroomError | None:
        """Speak and return what went wrong, if anything did; raises Unavailable when the lease is lost."""
        try:
            return await self._utterance.run()
        except Unavailable:
            raise
        except Exception as error:  # a bug of ours: the reply must end anyhow
            log.exception("reply broke", chat_id=self.chat_id, message_id=self._running.message_id)
            return error if isinstance(error, GreenroomError) else Internal()

    async def settle(self, text: str, *, end: ReplyEnd, failure: GreenroomError | None = None) -> None:
        """Store the reply's text and its closing events; raises Unavailable when the lease is lost first.

        What cannot be stored ends the reply as failed: without its usage, or else without its text.
        """
        first = True
        for kept, usage in ((text, self._party.usage), (text, None), ("", None)):
            try:
                closing = self._closing(kept, usage, end=end, failure=failure)
                outbox = await self._stored(closing)
            except Unavailable:
                raise
            except Exception as error:  # a bug of ours, or of the endpoint's: the reply must end anyhow
                if first:
                    log.exception("reply broke", chat_id=self.chat_id, message_id=self._running.message_id)
                first, end = False, "failed"
                failure = error if isinstance(error, GreenroomError) else Internal()
            else:
                self._tell(closing, outbox)
                return
        self._settled(self, None, [])

    def _closing(
        self, text: str, usage: Usage | None, *, end: ReplyEnd, failure: GreenroomError | None
    ) -> _Closing:
        message = self._message(text, usage, end)
        hint = end == "complete" and self._chat.template.hints_enabled and self._running.cause != "opening"
        work = (
            Work(id=derive(self._running.message_id, "hint"), kind="hint", owner=self._process.name)
            if hint
            else None
        )
        return _Closing(message, work, self._events(message, end=end, failure=failure))

    async def _stored(self, closing: _Closing) -> list[Pending] | None:
        return await self._until_known(
            when={"reply.message_id": self._running.message_id, "reply.fence": self._running.fence},
            update=_update(closing.message, closing.work),
            outbox=closing.events,
        )

    def _tell(self, closing: _Closing, outbox: list[Pending] | None) -> None:
        """Tell of what was stored; without an outbox another process ended the reply."""
        if outbox is None:
            self._settled(self, None, [])
            return
        message, work = closing.message, closing.work
        kept = [*self._chat.messages, message] if message else self._chat.messages
        update: dict[str, object] = {
            "messages": kept,
            "reply": None,
            "tip": message.id if message else self._chat.tip,
            "work": [work] if work is not None else [],  # what is new: all else runs already, or is done
        }
        self._settled(self, self._chat.model_copy(update=update), outbox)

    def _publish(self, j: bytes) -> "asyncio.Future[int]":
        """Publish a delta, unless another process may have closed this reply meanwhile."""
        if self._process.lease == self._lease:
            return self._hub.log.publish(f"attempt_{self.chat_id}", "attempt_progress", j, leased=True)
        lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        lost.set_exception(Unavailable("This process has lost its lease."))
        return lost

    def _message(self, text: str, usage: Usage | None, end: ReplyEnd) -> Message | None:
        """Return the message to keep; a reply that failed before its first word leaves none."""
        if not text and end == "failed":
            return None
        return Message(
            id=self._running.message_id,
            role="assistant",
            content=text,
            parent_message_id=self._running.parent_message_id,
            created_at=self._running.created_at,
            state=end,
            usage=usage,
        )

    def _events(
        self, message: Message | None, *, end: ReplyEnd, failure: GreenroomError | None
    ) -> list[Pending]:
        key = f"{self._running.message_id}:{self._running.fence}"
        room = f"attempt_{self.chat_id}"
        events: list[Pending] = []
        if message is not None:
            complete = AttemptAssistantComplete(
                chat_id=self.chat_id,
                message_id=message.id,
                content=message.content,
                usage=message.usage,
                state=end,
            )
            events.append(pending(room, complete, f"{key}:complete"))
        if end == "stopped":
            events.append(pending(room, AttemptStopped(chat_id=self.chat_id, success=True), f"{key}:stopped"))
        elif end in ("interrupted", "failed"):
            error = failure or Unavailable("The reply was interrupted; send your message again.")
            events.append(
                pending(room, _error(self.chat_id, self._running.message_id, error), f"{key}:error")
            )
            events.append(chat_error(self._chat, error.code, step=key))
        return events

    async def _until_known(self, **change: object) -> list[Pending] | None:
        """Try until the outcome is known or the lease is lost; the condition makes a repetition harmless."""
        while True:
            try:
                return await self._store.chats.change(self.chat_id, **change)  # type: ignore[arg-type]
            except Unavailable:
                if not self._process.holds(self._lease):
                    raise
                await asyncio.sleep(RETRY_SECONDS)


def reply_key(chat_id: Id, message_id: Id) -> str:
    """Return the key of the task that runs a reply."""
    return f"reply:{chat_id}:{message_id}"


def _update(message: Message | None, work: Work | None) -> dict[str, dict[str, object]]:
    update: dict[str, dict[str, object]] = {"$unset": {"reply": 1}}
    if message is not None:
        update["$push"] = {"messages": message.model_dump(exclude_none=True)}
        update["$set"] = {"tip": message.id}
        update["$inc"] = {"size": len(message.content.encode()) + 500}
        if work is not None:
            update["$push"]["work"] = work.model_dump()
    return update


def _error(chat_id: Id, message_id: Id, error: GreenroomError) -> AttemptError:
    return AttemptError(
        chat_id=chat_id, type="send", message=error.message, code=error.code, message_id=message_id
    )
