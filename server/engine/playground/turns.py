"""One turn of a session: what a user says, after which conversation, and with which settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from schemas.envelope import Id, utc_now
from schemas.playground import (
    MAX_MESSAGES,
    MAX_SESSION,
    ChatData,
    ChatMessage,
    MessageRole,
    PlaygroundSession,
    SentMessage,
    SessionPatch,
)
from schemas.stored import Pending, RunningReply
from server.engine.ids import new
from server.engine.playground.chat import size_of
from server.engine.playground.rooms import ops, updated, user_complete
from server.engine.playground.sessions import merged, settings_of
from server.errors import Conflict, TooLarge
from server.llm import ChatTurn

MAX_HEARD = 200_000  # characters of what was said before, that a model is given
SPEAKERS: dict[MessageRole, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "chatbot": "assistant",
    "model": "assistant",
}  # messages of functions and tools are kept, but no model is given them without their calls


@dataclass(frozen=True, kw_only=True)
class Step:
    """The change of a session that a turn makes, if it is still as it was read."""

    when: dict[str, Any]
    update: dict[str, Any]
    events: list[Pending]
    running: RunningReply
    after: PlaygroundSession


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What a user says; a `history` takes the place of what was said before."""

    message: str
    message_id: Id
    reply_id: Id
    history: Sequence[SentMessage] | None
    data: ChatData

    def is_in(self, session: PlaygroundSession) -> bool:
        """Tell whether this turn has been taken already: its request was repeated."""
        return session.answer_id == self.reply_id or any(m.id == self.reply_id for m in session.chat_messages)

    def step(self, session: PlaygroundSession, *, owner: str) -> Step:
        """Return the change that this turn makes; raises Conflict and TooLarge for what stands in its way."""
        if session.reply is not None:
            raise Conflict("An answer is running; wait for it or stop it first.", retryable=True)
        before, replaced = self._before(session)
        user = self._said(before)
        running = RunningReply(
            message_id=self.reply_id, parent_message_id=user.id, created_at=utc_now(), owner=owner
        )
        after = _after(session, self.data, messages=[*before, user], running=running)
        when = {"reply": None, "version": session.version, "forgotten_at": {"$exists": False}}
        update = _update(after, running, pushed=None if replaced else user)
        return Step(
            when=when,
            update=update,
            events=self._events(session, after, before=before if replaced else None),
            running=running,
            after=after,
        )

    def _before(self, session: PlaygroundSession) -> tuple[list[ChatMessage], bool]:
        """Return the conversation before this turn, and whether it is another than the session's."""
        stored = session.chat_messages
        if self.history is None or _same(self.history, stored):
            return stored, False
        known = {m.id: m for m in stored}
        taken: set[Id] = set()
        before: list[ChatMessage] = []
        for sent in self.history:
            message = _kept(sent, known, taken=taken).model_copy(update={"index": len(before)})
            taken.add(message.id)
            before.append(message)
        return before, True

    def _said(self, before: Sequence[ChatMessage]) -> ChatMessage:
        taken = any(m.id == self.message_id for m in before)
        key = new() if taken else self.message_id
        return ChatMessage(id=key, index=len(before), role="user", content=self.message)

    def _events(
        self, session: PlaygroundSession, after: PlaygroundSession, *, before: list[ChatMessage] | None
    ) -> list[Pending]:
        events = []
        if before is not None or settings_of(after) != settings_of(session):
            events.append(updated(after, messages=before))
        events.append(user_complete(after, after.chat_messages[-1], reply_id=self.reply_id))
        events.append(ops(after, "started", step=self.reply_id))
        return events


def turns_of(messages: Sequence[ChatMessage]) -> list[ChatTurn]:
    """Return what was said as a model is given it: the newest that fits, the last message in any case."""
    turns: list[ChatTurn] = []
    left = MAX_HEARD
    for message in reversed(messages):
        speaker, text = SPEAKERS.get(message.role), message.content or ""
        if speaker is None or not text.strip():
            continue
        left -= len(text)
        if left < 0 and turns:
            break
        turns.append(ChatTurn(role=speaker, content=text))
    return turns[::-1]


def _same(history: Sequence[SentMessage], stored: Sequence[ChatMessage]) -> bool:
    """Tell whether a client's history is the conversation that is stored; ids count where they are given."""
    return len(history) == len(stored) and all(
        (sent.role, sent.content or "") == (kept.role, kept.content or "") and sent.id in (None, kept.id)
        for sent, kept in zip(history, stored, strict=True)
    )


def _kept(sent: SentMessage, known: dict[Id, ChatMessage], *, taken: set[Id]) -> ChatMessage:
    """Return a message of a client's history, with what is known of it if it is as it was."""
    if sent.id is None or sent.id in taken:
        return ChatMessage(id=new(), index=0, role=sent.role, content=sent.content)
    stored = known.get(sent.id)
    if stored is not None and (stored.role, stored.content or "") == (sent.role, sent.content or ""):
        return stored
    return ChatMessage(id=sent.id, index=0, role=sent.role, content=sent.content)


def _after(
    session: PlaygroundSession, data: ChatData, *, messages: list[ChatMessage], running: RunningReply
) -> PlaygroundSession:
    """Return a session as a turn leaves it; raises TooLarge."""
    size = sum(size_of(message) for message in messages)
    if size > MAX_SESSION or len(messages) >= MAX_MESSAGES:
        raise TooLarge("The conversation has become too large; delete the session, or send a shorter one.")
    change = SessionPatch(llm_params=data.llm_parameters, retrieval_params=data.retrieval_parameters)
    update = {"chat_messages": messages, "size": size, "reply": running, "answer_id": running.message_id}
    return merged(session, change).model_copy(update=update)


def _update(after: PlaygroundSession, running: RunningReply, *, pushed: ChatMessage | None) -> dict[str, Any]:
    now = {
        **settings_of(after),
        "updated_at": after.updated_at,
        "size": after.size,
        "reply": running.model_dump(exclude_none=True),
        "answer_id": running.message_id,
    }
    update: dict[str, Any] = {"$set": now, "$inc": {"version": 1}}
    if pushed is not None:
        update["$push"] = {"chat_messages": pushed.model_dump()}
    else:
        now["chat_messages"] = [message.model_dump() for message in after.chat_messages]
    return update
