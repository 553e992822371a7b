"""An answer in a playground session: found passages first, then a model's words, then what is stored."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import BaseModel

from schemas.envelope import Id, JsonObject, Usage, utc_now
from schemas.playground import (
    Annotation,
    ChatMessage,
    PlaygroundComplete,
    PlaygroundError,
    PlaygroundSession,
    PlaygroundSources,
    Source,
)
from schemas.retrieval import Found
from schemas.stored import Pending, RunningReply
from server.engine.conversation.parties import ModelParty
from server.engine.conversation.reply import Announce, Closing, ReplyEnd, announced
from server.engine.pending import pending
from server.engine.playground.grounding import sources_of
from server.engine.playground.rooms import ops, playground_room
from server.engine.playground.thinking import Thinking
from server.errors import GreenroomError, Unavailable
from server.store.aggregates import AggregateStore

OVERHEAD = 500  # bytes of a message beside its texts


@dataclass
class Said:
    """What is known of an answer besides its words; `sources` is None until the room is being told."""

    sources: list[Source] | None = None
    reasoning: str | None = None


class SessionParty:
    """A model that answers from what was found; without a search that came to its end it says nothing."""

    def __init__(
        self,
        find: Callable[[], Awaitable[Found]],
        make: Callable[[Found], ModelParty],
        *,
        tell: Callable[[Found], Awaitable[None]],
        said: Said,
        reasoning: bool,
    ) -> None:
        self._find = find
        self._make = make
        self._tell = tell
        self._said = said
        self._reasoning = reasoning
        self.usage: Usage | None = None

    async def speak(self) -> AsyncGenerator[str, None]:
        """Yield the answer as it comes; raises Upstream, and Unavailable when nothing can be searched."""
        found = await self._find()
        await self._tell(found)
        party = self._make(found)
        thinking = Thinking() if self._reasoning else None
        try:
            async with aclosing(party.speak()) as parts:
                async for text in parts:
                    said = thinking.take(text) if thinking else text
                    if thinking:
                        self._said.reasoning = thinking.thoughts
                    if said:
                        yield said
            if thinking and (rest := thinking.rest()):
                yield rest
        finally:
            self.usage = party.usage


def telling(session_id: Id, message_id: Id, *, said: Said, announce: Announce) -> Callable[..., Any]:
    """Return what puts sources into the room; they are noted once they are on their way into it."""

    async def tell(found: Found) -> None:
        sources = sources_of(found)
        event = PlaygroundSources(
            session_id=session_id,
            message_id=message_id,
            sources=sources,
            mode=found.mode,
            rerank=found.rerank,
        )

        def note() -> None:
            said.sources = sources

        await announced(announce, event.event, event.encode(), queued=note)

    return tell


class SessionPlace:
    """The place of one answer in a session."""

    delta = "playground_progress"

    def __init__(
        self,
        session: PlaygroundSession,
        running: RunningReply,
        *,
        store: AggregateStore[PlaygroundSession],
        said: Said,
    ) -> None:
        self.key = session.id
        self.room = playground_room(session.id)
        self.store = store
        self.head = b'{"session_id":"%b","message_id":"%b","content":' % (
            session.id.encode(),
            running.message_id.encode(),
        )
        self._session = session
        self._running = running
        self._said = said

    def closing(
        self, text: str, usage: Usage | None, *, end: ReplyEnd, failure: GreenroomError | None
    ) -> Closing[PlaygroundSession]:
        """Return what is stored when the answer ends; it leaves a message unless it never began."""
        kept = bool(text) or end != "failed"
        message = self._message(text, usage, end) if kept else None
        events = self._events(text, usage, end=end, failure=failure, kept=kept)
        return Closing(update=_update(message), events=events, after=self._after(message))

    def _after(self, message: ChatMessage | None) -> PlaygroundSession:
        update: dict[str, object] = {"reply": None, "updated_at": utc_now()}
        if message is not None:
            update["chat_messages"] = [*self._session.chat_messages, message]
            update["size"] = self._session.size + size_of(message)
        return self._session.model_copy(update=update)

    def _message(self, text: str, usage: Usage | None, end: ReplyEnd) -> ChatMessage:
        return ChatMessage(
            id=self._running.message_id,
            index=len(self._session.chat_messages),
            role="assistant",
            content=text,
            annotations=notes(self._said, usage, end),
        )

    def _events(
        self, text: str, usage: Usage | None, *, end: ReplyEnd, failure: GreenroomError | None, kept: bool
    ) -> list[Pending]:
        message_id, key = self._running.message_id, f"{self._running.message_id}:{self._running.fence}"
        events: list[Pending] = []
        if kept:
            complete = PlaygroundComplete(
                session_id=self.key,
                message_id=message_id,
                content=text,
                usage=usage,
                state=end,
                reasoning=self._said.reasoning,
            )
            events.append(pending(self.room, complete, f"{key}:complete"))
        if end in ("interrupted", "failed"):
            error = failure or Unavailable("The answer was interrupted; send your message again.")
            told = PlaygroundError(
                session_id=self.key, message=error.message, code=error.code, message_id=message_id
            )
            events.append(pending(self.room, told, f"{key}:error"))
            events.append(ops(self._session, "error", step=message_id, code=error.code))
        events.append(ops(self._session, "ended", step=message_id))
        return events


def _update(message: ChatMessage | None) -> dict[str, dict[str, Any]]:
    update: dict[str, dict[str, Any]] = {"$unset": {"reply": 1}, "$currentDate": {"updated_at": True}}
    if message is not None:
        update["$push"] = {"chat_messages": message.model_dump()}
        update["$inc"] = {"size": size_of(message)}
    return update


def notes(said: Said, usage: Usage | None, end: ReplyEnd) -> list[Annotation]:
    """Return what is kept of an answer besides its text."""
    found: dict[str, object] = {}
    if said.sources is not None:
        found["sources"] = [source.model_dump(exclude_none=True) for source in said.sources]
    if said.reasoning is not None:
        found["reasoning"] = said.reasoning
    if usage is not None:
        found["usage"] = usage.model_dump(exclude_none=True)
    if end != "complete":
        found["state"] = end
    return [Annotation(type=name, data=orjson.dumps(value).decode()) for name, value in found.items()]


def seen_of(seen: JsonObject) -> Said:
    """Return what a room's snapshot says of a running answer."""
    shown = seen.get("sources")
    return Said(sources=None if shown is None else [Source.model_validate(one) for one in shown])


def size_of(message: BaseModel) -> int:
    """Return how large a message is in its session."""
    return len(message.model_dump_json().encode()) + OVERHEAD
