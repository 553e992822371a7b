"""Verbs of attempts: begin, say, end, refused – the same over sockets and over HTTP."""

from dataclasses import dataclass
from typing import Any

from server.engine.packs import content_id
from server.transports import keys
from tests.support.clients import Http, Socket
from tests.support.running import Server, practice

Client = Socket | Http
Data = dict[str, Any]
STATUS = {
    "bad_request": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "gone": 410,
    "upstream": 502,
    "unavailable": 503,
}
KINDS = {
    "attempt_audio_start": "audio",
    "attempt_audio_stop": "audio",
    "attempt_audio_frame": "audio",
    "attempt_audio_mute": "audio",
    "attempt_start": "start",
    "attempt_next": "next",
    "attempt_join": "join",
    "attempt_leave": "join",
    "room_join": "join",
    "room_leave": "join",
    "attempt_message": "send",
    "attempt_stop": "stop",
    "attempt_end": "end",
    "attempt_end_all": "end",
    "attempt_grade": "grade",
    "attempt_response_submit": "quiz",
    "attempt_use_previous": "proceed",
}
FULL_MARKS = [
    {
        "match": {"schema": "Verdict", "system_contains": "Criterion: Listening"},
        "json": {"quotes": [], "feedback": "You asked.", "level": 3},
    },
    {
        "match": {"schema": "Verdict", "system_contains": "Criterion: Clarity"},
        "json": {"quotes": [], "feedback": "You were clear.", "level": 2},
    },
]


@dataclass
class Talk:
    """A chat of an attempt, and who practises it."""

    client: Client
    attempt_id: str
    chat_id: str
    ack: Data

    @property
    def room(self) -> str:
        """Return the chat's room."""
        return f"attempt_{self.chat_id}"

    @property
    def ids(self) -> Data:
        """Return what names the chat in payloads."""
        return {"attempt_id": self.attempt_id, "chat_id": self.chat_id}

    async def send(self, message: str = "Hello.", **more: Any) -> Data:
        """Send a message and return its ack."""
        return await self.client.send("attempt_message", **self.ids, message=message, **more)

    async def say(self, message: str = "Hello.", **more: Any) -> Data:
        """Send a message and return the reply when it is complete."""
        ack = await self.send(message, **more)
        return await self.client.until("attempt_assistant_complete", message_id=ack["assistant_message_id"])

    async def hears(self, text: str) -> None:
        """Wait until the deltas of the chat add up to a text."""
        count = 0
        while "".join(d["content"] for d in self.client.named("attempt_progress", room=self.room)) != text:
            count += 1
            await self.client.until("attempt_progress", count=count, room=self.room)

    async def end(self, **more: Any) -> Data:
        """End the chat and return attempt_chat_ended."""
        await self.client.send("attempt_end", **self.ids, **more)
        return await self.client.until("attempt_chat_ended", chat_id=self.chat_id)

    async def snapshot(self) -> Data:
        """Return the chat's snapshot, as a stream of its own would get it."""
        await self.client.send("attempt_leave", chat_id=self.chat_id)
        join = await self.client.send("attempt_join", chat_id=self.chat_id)
        snapshot: Data = join["snapshot"]
        return snapshot

    def entries(self) -> list[tuple[str, Data]]:
        """Return what the client has seen of the chat's room."""
        return [(n, d) for n, d in self.client.seen if d.get("room") == self.room]


async def begin(client: Client, key: str = "one", **options: Any) -> Talk:
    """Start an attempt of a practice whose first scenario has no lobby."""
    ack = await client.send("attempt_start", practice_id=practice(key), **options)
    return Talk(client, ack["attempt_id"], ack["chat_id"], ack)


async def next_talk(talk: Talk, *, count: int = 2) -> Talk:
    """Wait for the attempt's count-th chat and join it."""
    started = await talk.client.until("attempt_chat_started", count=count, attempt_id=talk.attempt_id)
    join = await talk.client.send("attempt_join", chat_id=started["chat_id"])
    return Talk(talk.client, talk.attempt_id, started["chat_id"], join)


async def refused(client: Client, event: str, code: str, *, retryable: bool = False, **data: Any) -> Data:
    """Send an event that must fail with a code: by its ack, and by attempt_error; return the ack's error."""
    name = notice_of(event)
    before = len(client.named(name, room=None))
    ack = await client.call(event, **data)
    error = check_failure(client, ack, code, retryable=retryable)
    notice = await client.until(name, count=before + 1, room=None)
    assert notice["code"] == code, notice
    assert notice["message"] == error["message"]
    assert notice.get("type") == KINDS.get(event), notice
    assert "offset" not in notice
    if code != "bad_request":
        assert notice.get("chat_id") == data.get("chat_id"), notice
    return error


def notice_of(event: str) -> str:
    """Return the event that tells the sender of a failure."""
    if event == "generate":
        return "generation_error"
    if event.startswith("playground_"):
        return "playground_error"
    return "test_error" if event.startswith("test_") else "attempt_error"


def check_failure(client: Client, ack: Data, code: str, *, retryable: bool = False) -> Data:
    """Check an ack that says why something failed, and return its error."""
    assert set(ack) == {"success", "error"}, ack
    assert ack["success"] is False
    error: Data = ack["error"]
    assert error["code"] == code, error
    assert error["retryable"] is retryable, error
    assert error["message"]
    if isinstance(client, Http):
        assert client.status == STATUS[code]
    return error


def one_after_another(events: list[tuple[str, Data]]) -> bool:
    """Tell whether entries of one room are numbered without holes and carry what all entries carry."""
    numbers = [d["offset"] for _, d in events]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers))) and all(
        isinstance(d["at"], int) and d["room"] == events[0][1]["room"] for _, d in events
    )


async def stored(server: Server, name: str, *, owner: str) -> list[Data]:
    """Return somebody's attempts or chats as they are stored, oldest first, without their outboxes."""
    documents = server.app[keys.STORE].chats._documents.database[name]
    query = documents.find({"owner.id": owner}, projection={"outbox": 0, "outbox_at": 0})
    found: list[Data] = await query.sort("created_at", 1).to_list(None)
    return found


def scenario(key: str) -> str:
    """Return the id of a scenario of the tests' pack."""
    return content_id("lesson", "scenario", key)
