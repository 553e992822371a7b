"""A reply in a chat of an attempt: how it is told, and what its end stores."""

from typing import Any

from schemas.attempt import AttemptAssistantComplete, AttemptError, AttemptStopped, Chat, Message
from schemas.envelope import Id, Usage
from schemas.stored import Pending, RunningReply, Work
from server.engine.conversation.aloud import Aloud
from server.engine.conversation.grounded import Grounding
from server.engine.conversation.reply import Closing, ReplyEnd
from server.engine.ids import derive
from server.engine.pending import pending
from server.engine.watching.ops import chat_error
from server.errors import GreenroomError, Unavailable
from server.store.aggregates import AggregateStore


class ChatPlace:
    """The place of one reply in a chat; `process` is who does the work that follows it."""

    delta = "attempt_progress"

    def __init__(
        self,
        chat: Chat,
        running: RunningReply,
        *,
        store: AggregateStore[Chat],
        process: str,
        grounding: Grounding,
        aloud: Aloud | None = None,
    ) -> None:
        self.key = chat.id
        self.room = room_of(chat.id)
        self.store: AggregateStore[Chat] = store
        self.head = b'{"chat_id":"%b","content_type":"delta","message_id":"%b","content":' % (
            chat.id.encode(),
            running.message_id.encode(),
        )
        self._chat = chat
        self._running = running
        self._process = process
        self._grounding = grounding
        self._aloud = aloud

    def closing(
        self, text: str, usage: Usage | None, *, end: ReplyEnd, failure: GreenroomError | None
    ) -> Closing[Chat]:
        """Return what is stored when the reply ends: its message, if it leaves one, and a hint's work."""
        message = self._message(text, usage, end)
        work = self._work(end) if message is not None else None
        return Closing(
            update=_update(message, work),
            events=self._events(message, end=end, failure=failure),
            after=self._after(message, work),
        )

    def _work(self, end: ReplyEnd) -> Work | None:
        hint = end == "complete" and self._chat.template.hints_enabled and self._running.cause != "opening"
        if not hint:
            return None
        return Work(id=derive(self._running.message_id, "hint"), kind="hint", owner=self._process)

    def _after(self, message: Message | None, work: Work | None) -> Chat:
        update: dict[str, object] = {
            "messages": [*self._chat.messages, message] if message else self._chat.messages,
            "reply": None,
            "tip": message.id if message else self._chat.tip,
            "work": [work] if work is not None else [],  # what is new: all else runs already, or is done
        }
        return self._chat.model_copy(update=update)

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
            sources=self._grounding.sources,
            audio=self._aloud.recording if self._aloud is not None else None,
        )

    def _events(
        self, message: Message | None, *, end: ReplyEnd, failure: GreenroomError | None
    ) -> list[Pending]:
        key = f"{self._running.message_id}:{self._running.fence}"
        events: list[Pending] = []
        if message is not None:
            complete = AttemptAssistantComplete(
                chat_id=self.key,
                message_id=message.id,
                content=message.content,
                usage=message.usage,
                state=end,
                audio=message.audio,
            )
            events.append(pending(self.room, complete, f"{key}:complete"))
        if end == "stopped":
            stopped = AttemptStopped(chat_id=self.key, success=True)
            events.append(pending(self.room, stopped, f"{key}:stopped"))
        elif end in ("interrupted", "failed"):
            error = failure or Unavailable("The reply was interrupted; send your message again.")
            told = _error(self.key, self._running.message_id, error)
            events.append(pending(self.room, told, f"{key}:error"))
            events.append(chat_error(self._chat, error.code, step=key))
        if (unsearched := self._grounding.failure) is not None:
            events.append(chat_error(self._chat, unsearched.code, step=f"{key}:pipeline"))
        return events


def room_of(chat_id: Id) -> str:
    """Return the room of a chat."""
    return f"attempt_{chat_id}"


def _update(message: Message | None, work: Work | None) -> dict[str, dict[str, Any]]:
    update: dict[str, dict[str, Any]] = {"$unset": {"reply": 1}}
    if message is not None:
        update["$push"] = {"messages": message.model_dump(exclude_none=True)}
        update["$set"] = {"tip": message.id}
        sources = sum(len(s.excerpt.encode()) + 300 for s in message.sources or [])
        update["$inc"] = {"size": len(message.content.encode()) + 500 + sources}
        if work is not None:
            update["$push"]["work"] = work.model_dump()
    return update


def _error(chat_id: Id, message_id: Id, error: GreenroomError) -> AttemptError:
    return AttemptError(
        chat_id=chat_id, type="send", message=error.message, code=error.code, message_id=message_id
    )
