"""The room of a playground session: its entries, and what its snapshot holds besides what they add up to."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from schemas.envelope import ErrorCode, Id, JsonObject, iso
from schemas.playground import (
    ChatMessage,
    PlaygroundForgotten,
    PlaygroundSession,
    PlaygroundUpdated,
    PlaygroundUserComplete,
)
from schemas.room import OpsPhase
from schemas.stored import Pending
from server.engine.pending import pending
from server.engine.watching.ops import ops_event
from server.store import Store

TOLD_BYTES = 128 * 1024  # of a conversation that replaces another


def playground_room(session_id: Id) -> str:
    """Return the room of a session."""
    return f"playground_{session_id}"


def updated(session: PlaygroundSession, *, messages: Sequence[ChatMessage] | None = None) -> Pending:
    """Return what tells of a session's settings, and of the messages that are now its conversation."""
    shown, more = (None, None) if messages is None else newest(messages)
    event = PlaygroundUpdated(
        session_id=session.id,
        llm_params=session.llm_params.model_dump(mode="json"),
        retrieval_params=session.retrieval_params.model_dump(mode="json"),
        chat_messages=shown,
        more=more,
    )
    return pending(playground_room(session.id), event, f"{session.id}:updated:{session.version}")


def newest(messages: Sequence[ChatMessage]) -> tuple[list[JsonObject], bool | None]:
    """Return the newest messages that an entry may hold, and True when there are others before them."""
    shown: list[JsonObject] = []
    left = TOLD_BYTES
    for message in reversed(messages):
        one = message_view(message)
        left -= len(orjson.dumps(one))
        if left < 0:
            return shown[::-1], True
        shown.append(one)
    return shown[::-1], None


def message_view(message: ChatMessage) -> JsonObject:
    """Return a message as followers of the room see it: what its annotations say as fields of their own."""
    notes = {note.type: orjson.loads(note.data) for note in message.annotations if note.type in NOTES}
    said = {"id": message.id, "role": message.role, "content": message.content or ""}
    return said | {"state": "complete"} | notes


NOTES = frozenset({"sources", "reasoning", "usage", "state"})


def user_complete(session: PlaygroundSession, message: ChatMessage, *, reply_id: Id) -> Pending:
    """Return what tells of a user's message."""
    event = PlaygroundUserComplete(
        session_id=session.id,
        message_id=message.id,
        content=message.content or "",
        assistant_message_id=reply_id,
    )
    return pending(playground_room(session.id), event, f"{reply_id}:user")


def forgotten(session_id: Id) -> Pending:
    """Return what tells that a session is deleted."""
    event = PlaygroundForgotten(session_id=session_id)
    return pending(playground_room(session_id), event, f"{session_id}:forgotten")


def ops(session: PlaygroundSession, phase: OpsPhase, *, step: str, code: ErrorCode | None = None) -> Pending:
    """Return what operators are told of an answer: that there is one, and nothing of what is said."""
    return ops_event(
        "playground",
        key=session.id,
        room=playground_room(session.id),
        phase=phase,
        owner=session.owner,
        org=session.org,
        code=code,
        step=step,
    )


def playground_base(store: Store) -> Callable[[str], Awaitable[dict[str, Any]]]:
    """Return what a session's snapshot holds besides its folded entries: all that never changes."""

    async def base(room: str) -> dict[str, Any]:
        session = await store.playground.get(room.removeprefix("playground_"))
        if session is None:
            return {}
        shown = {"session_id": session.id, "pipeline_id": session.pipeline_id}
        return {"session": {**shown, "created_at": iso(session.created_at)}}

    return base
