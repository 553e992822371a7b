"""Our own exports: `GET /api/v1/attempts/{id}/export?format=json`, a conversation for each chat."""

from collections.abc import Iterator
from datetime import datetime

from server.engine.recordings.record import BadRecord, Malformed, Record, Recording, checked


def read_export(record: Record, line: int) -> Iterator[Recording | BadRecord]:
    """Yield the conversations of an attempt: the learner is the user, the persona the assistant.

    Chats in which the learner said nothing are left out. Raises Malformed when there are no others.
    """
    chats = record["chats"]
    found = [_chat(record, chat, line) for chat in chats] if isinstance(chats, list) else []
    if not any(found):
        raise Malformed("nobody said anything in the chats of this attempt")
    yield from (chat for chat in found if chat is not None)


def _chat(record: Record, chat: object, line: int) -> Recording | BadRecord | None:
    if not isinstance(chat, dict) or not isinstance(chat.get("messages"), list):
        return BadRecord(line, "chats: an object with messages is needed")
    where = f"chat {str(chat.get('chat_id'))[:36]}"
    try:
        path = _path(chat["messages"])
        if all(m["role"] != "user" for m in path):
            return None
        return checked(line, _name(record, chat), messages=_timed(path), tools=[])
    except Malformed as error:
        return BadRecord(line, f"{where}: {error}")
    except (KeyError, TypeError, ValueError, AttributeError):
        return BadRecord(line, f"{where}: every message needs id, role, content and created_at")


def _path(messages: list[Record]) -> list[Record]:
    """Return the branch that ends with the last message; messages are a tree."""
    by_id = {m["id"]: m for m in messages}
    path: list[Record] = []
    last = next((m["id"] for m in reversed(messages) if m["content"]), None)
    while last in by_id:
        path.append(by_id.pop(last))  # popped, so that a circle ends
        last = path[-1].get("parent_message_id")
    return [message for message in path[::-1] if message["content"]]  # a reply that failed may be empty


def _timed(path: list[Record]) -> list[Record]:
    times = [datetime.fromisoformat(m["created_at"]) for m in path]
    return [
        {
            "role": message["role"],
            "content": message["content"],
            "at_ms": max(0.0, round((at - times[0]).total_seconds() * 1000, 3)),
        }
        for message, at in zip(path, times, strict=True)
    ]


def _name(record: Record, chat: Record) -> str:
    names = [
        part.get("name") for part in (chat.get("scenario"), chat.get("persona")) if isinstance(part, dict)
    ]
    attempt = record.get("attempt")
    if not any(names) and isinstance(attempt, dict):
        names = [attempt.get("name")]
    return ", ".join(name for name in names if isinstance(name, str))
