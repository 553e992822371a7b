"""An attempt from start to grade."""

from tests.conftest import Cast
from tests.support.clients import Socket
from tests.support.running import Server, practice


async def test_an_attempt_from_start_to_grade(server: Server, cast: Cast) -> None:
    learner = await cast.learner()
    ack = await learner.send("attempt_start", practice_id=practice("two"))
    attempt_id, chat_id = ack["attempt_id"], ack["chat_id"]
    assert [r["room"] for r in ack["rooms"]] == [f"attempt_{chat_id}"]
    await learner.send("attempt_message", attempt_id=attempt_id, chat_id=chat_id, message="What is it about?")
    await learner.until("attempt_assistant_complete", chat_id=chat_id)
    end = await learner.send("attempt_end", attempt_id=attempt_id, chat_id=chat_id)
    graded = await learner.until("attempt_graded", chat_id=chat_id)
    assert graded["grade_id"] == end["grade_id"]
    ended = await learner.until("attempt_chat_ended", chat_id=chat_id)
    assert ended["grade_id"] == end["grade_id"]
    assert ended["is_attempt_finished"] is False
    following = await learner.until("attempt_chat_started", count=2)
    await talk_and_end(learner, attempt_id, following["chat_id"])
    over = await learner.until("attempt_ended", attempt_id=attempt_id)
    assert over["success"]
    assert over["all_scenarios_complete"]


async def talk_and_end(learner: Socket, attempt_id: str, chat_id: str) -> None:
    join = await learner.send("attempt_join", chat_id=chat_id)
    assert join["recovered"] is False
    assert join["snapshot"]["messages"] == []
    await learner.until("attempt_joined", chat_id=chat_id)
    await learner.send("attempt_message", attempt_id=attempt_id, chat_id=chat_id, message="Again.")
    await learner.until("attempt_assistant_complete", chat_id=chat_id)
    await learner.send("attempt_end", attempt_id=attempt_id, chat_id=chat_id)
    ended = await learner.until("attempt_chat_ended", chat_id=chat_id)
    assert ended["is_attempt_finished"] is True


async def test_the_same_over_http_with_a_stream(server: Server, cast: Cast) -> None:
    learner = await cast.http()
    ack = await learner.send("attempt/start", practice_id=practice("one"))
    attempt_id, chat_id = ack["attempt_id"], ack["chat_id"]
    await learner.send("attempt/message", attempt_id=attempt_id, chat_id=chat_id, message="What is it about?")
    await learner.until("attempt_assistant_complete", chat_id=chat_id)
    await learner.drop()
    await learner.send("attempt/end", attempt_id=attempt_id, chat_id=chat_id)
    await learner.resume()
    await learner.until("attempt_graded", chat_id=chat_id)
    await learner.until("attempt_ended", attempt_id=attempt_id)
    offsets = [d["offset"] for _, d in learner.seen if d.get("room") == f"attempt_{chat_id}"]
    assert offsets == list(range(1, len(offsets) + 1))
