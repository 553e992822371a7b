"""A process that was cut off longer than its lease changes nothing more of what it was at (core §12)."""

from server.rooms.process import LEASE_SECONDS
from server.transports import keys
from tests.conftest import Cast
from tests.fold.oracle import check_chat, log_of
from tests.support.running import Server, practice

WORDS = [f"{n} " for n in range(3000)]


def lose(server: Server) -> None:
    """Let the last good heartbeat be too long ago; the next one begins another lease."""
    server.app[keys.PROCESS]._beaten_at -= LEASE_SECONDS + 1


async def test_a_reply_is_closed_and_takes_no_delta_more(server: Server, cast: Cast) -> None:
    await server.script({"chunks": WORDS, "delay_ms": 5})
    learner = await cast.learner()
    ack = await learner.send("attempt_start", practice_id=practice("one"))
    chat = {"attempt_id": ack["attempt_id"], "chat_id": ack["chat_id"]}
    await learner.send("attempt_message", **chat, message="Count.")
    await learner.until("attempt_progress", count=5)
    before = server.app[keys.PROCESS].lease
    lose(server)
    complete = await learner.until("attempt_assistant_complete")
    assert complete["state"] == "interrupted"
    assert server.app[keys.PROCESS].lease == before + 1
    await learner.until("attempt_error", type="send")
    rows = await log_of(server.app[keys.STORE], f"attempt_{chat['chat_id']}")
    assert [r.name for r in rows[-2:]] == ["attempt_assistant_complete", "attempt_error"]
    await check_chat(server.app[keys.STORE], chat["chat_id"])
    closed = await server.model.until("closed_by_client")
    assert len(closed) == 1


async def test_grading_begins_anew_under_the_same_grade(server: Server, cast: Cast) -> None:
    slow = {"match": {"schema": "Verdict"}, "first_delay_ms": 3000, "times": 2}
    await server.script(slow)
    learner = await cast.learner()
    ack = await learner.send("attempt_start", practice_id=practice("one"))
    chat = {"attempt_id": ack["attempt_id"], "chat_id": ack["chat_id"]}
    await learner.send("attempt_message", **chat, message="Hello!")
    await learner.until("attempt_assistant_complete")
    end = await learner.send("attempt_end", **chat)
    await learner.until("attempt_grading_progress")
    lose(server)
    graded = await learner.until("attempt_graded")
    await learner.until("attempt_ended")
    assert graded["grade_id"] == end["grade_id"]
    await check_chat(server.app[keys.STORE], chat["chat_id"])
