"""What a session keeps of an answer whose entries are not told any more."""

from typing import Any

import orjson

from schemas.envelope import Id
from schemas.playground import (
    ChatMessage,
    PlaygroundComplete,
    PlaygroundError,
    PlaygroundSession,
    PlaygroundSources,
)
from server.errors import Unavailable

WHOLE = frozenset({"complete", "stopped"})  # of these no error follows

UNKNOWN = "unknown"  # how the sources were found, which only the room was told


def message_of(session: PlaygroundSession, message_id: Id) -> ChatMessage | None:
    """Return a message of a session."""
    return next((message for message in session.chat_messages if message.id == message_id), None)


def known_of(
    session: PlaygroundSession, message_id: Id
) -> list[PlaygroundSources | PlaygroundComplete | PlaygroundError]:
    """Return the events that tell of an answer that is stored; none when it left no message."""
    message = message_of(session, message_id)
    if message is None:
        return []
    notes: dict[str, Any] = {note.type: orjson.loads(note.data) for note in message.annotations}
    ids = {"session_id": session.id, "message_id": message_id}
    events: list[PlaygroundSources | PlaygroundComplete | PlaygroundError] = []
    if "sources" in notes:
        events.append(PlaygroundSources(**ids, sources=notes["sources"], mode=UNKNOWN, rerank=UNKNOWN))
    state = notes.get("state", "complete")
    text, usage, reasoning = message.content or "", notes.get("usage"), notes.get("reasoning")
    events.append(PlaygroundComplete(**ids, content=text, usage=usage, state=state, reasoning=reasoning))
    if state not in WHOLE:
        error = Unavailable("The answer was not given to its end; what was said of it is kept.")
        events.append(PlaygroundError(**ids, message=error.message, code=error.code))
    return events
