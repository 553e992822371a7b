"""attempt_message: a turn, and everything that stands in its way."""

from tests.conftest import Cast
from tests.support.clients import Socket
from tests.support.running import Server, practice


async def begin(client: Socket, key: str = "one") -> tuple[str, str]:
    """Start an attempt and return (attempt_id, chat_id)."""
    ack = await client.send("attempt_start", practice_id=practice(key))
    return ack["attempt_id"], ack["chat_id"]


async def test_a_turn_streams_and_is_stored(server: Server, cast: Cast) -> None:
    await server.script({"chunks": ["Hel", "lo ", "there"], "delay_ms": 30})
    learner = await cast.learner()
    attempt_id, chat_id = await begin(learner)
    ack = await learner.send("attempt_message", attempt_id=attempt_id, chat_id=chat_id, message="Hi!")
    done = await learner.until("attempt_assistant_complete", chat_id=chat_id)
    assert done["message_id"] == ack["assistant_message_id"]
    assert done["content"] == "Hello there"
    parts = learner.named("attempt_progress", chat_id=chat_id)
    assert "".join(p["content"] for p in parts) == "Hello there"
    assert {p["content_type"] for p in parts} == {"delta"}
    names = learner.names(f"attempt_{chat_id}")
    assert names[:3] == ["attempt_user_start", "attempt_user_complete", "attempt_assistant_start"]
    assert names[-1] == "attempt_assistant_complete"
    offsets = [d["offset"] for _, d in learner.seen if d.get("room") == f"attempt_{chat_id}"]
    assert offsets == list(range(1, len(offsets) + 1))
