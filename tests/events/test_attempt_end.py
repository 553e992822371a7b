"""attempt_end and attempt_end_all: chats close at once, are graded, and the attempt goes on or ends."""

from server.engine.ids import new
from tests.conftest import Cast
from tests.support.attempts import FULL_MARKS, Client, begin, next_talk, one_after_another, refused
from tests.support.clients import Socket
from tests.support.running import Server, practice


async def test_it_grades_and_goes_on(server: Server, client: Client) -> None:
    await server.script(*FULL_MARKS)
    talk = await begin(client, "two")
    await talk.say()
    ack = await client.send("attempt_end", **talk.ids)
    assert ack == {"success": True, "chat_id": talk.chat_id, "grade_id": ack["grade_id"]}
    ended = await client.until("attempt_chat_ended")
    assert (ended["grade_id"], ended["is_attempt_finished"]) == (ack["grade_id"], False)
    graded = client.named("attempt_graded")[0]
    assert graded["grade_id"] == ack["grade_id"]
    assert (graded["score"], graded["total_points"], graded["percentage"], graded["passed"]) == (
        6,
        6,
        100,
        True,
    )
    steps = client.named("attempt_grading_progress")
    assert {(s["resource_type"], s["grade_id"]) for s in steps} == {("feedbacks", ack["grade_id"])}
    assert [s["entry"]["type"] for s in steps] == ["start", "standard_graded", "standard_graded"]
    assert [s["entry"]["completed_count"] for s in steps] == [0, 1, 2]
    assert {s["entry"]["total_count"] for s in steps} == {2}
    assert sorted(s["entry"]["points"] for s in steps[1:]) == [2, 4]
    kinds = [c["resource_type"] for c in client.named("attempt_content_progress")]
    assert kinds == ["strengths", "improvements", "analyses"]
    names = [n for n, _ in talk.entries()]
    assert names[-2:] == ["attempt_graded", "attempt_chat_ended"]
    assert one_after_another(talk.entries())
    second = await next_talk(talk)
    assert second.ack["snapshot"]["messages"] == []


async def test_the_room_of_an_ended_chat_is_left(server: Server, learner: Socket) -> None:
    talk = await begin(learner)
    await talk.end(grade=False)
    again = await learner.send("attempt_join", chat_id=talk.chat_id)
    assert "snapshot" in again  # it was no member any more
    assert again["snapshot"]["ended"]


async def test_it_may_go_without_a_grade(server: Server, client: Client) -> None:
    talk = await begin(client)
    await talk.say()
    ack = await client.send("attempt_end", **talk.ids, grade=False)
    assert ack == {"success": True, "chat_id": talk.chat_id, "grade_id": None}
    ended = await client.until("attempt_chat_ended")
    assert "grade_id" not in ended
    assert ended["is_attempt_finished"] is True
    over = await client.until("attempt_ended")
    assert (over["success"], over["all_scenarios_complete"]) == (True, True)
    assert "attempt_grading_progress" not in client.names()


async def test_without_a_rubric_there_is_no_grade(server: Server, learner: Socket) -> None:
    talk = await begin(learner, "patient")
    await talk.say()
    ack = await learner.send("attempt_end", **talk.ids)
    assert ack["grade_id"] is None
    assert "grade_id" not in await learner.until("attempt_chat_ended")


async def test_a_running_reply_stops(server: Server, client: Client) -> None:
    persona = {"system_contains": "You are Ada"}
    await server.script(*FULL_MARKS, {"match": persona, "chunks": ["I was ", "saying"], "hang": True})
    talk = await begin(client)
    await talk.send()
    await talk.hears("I was saying")
    await talk.end()
    done = client.named("attempt_assistant_complete")
    assert [(d["content"], d["state"]) for d in done] == [("I was saying", "stopped")]
    assert client.named("attempt_stopped")[0]["success"]
    assert client.named("attempt_graded")[0]["score"] == 6
    await server.model.until("closed_by_client")


async def test_its_refusals(server: Server, cast: Cast, client: Client) -> None:
    talk, other = await begin(client), await begin(client)
    await refused(client, "attempt_end", "not_found", attempt_id=new(), chat_id=talk.chat_id)
    await refused(client, "attempt_end", "not_found", attempt_id=talk.attempt_id, chat_id=new())
    await refused(client, "attempt_end", "not_found", attempt_id=talk.attempt_id, chat_id=other.chat_id)
    await refused(await cast.stranger(), "attempt_end", "not_found", **talk.ids)
    await refused(await cast.author(), "attempt_end", "forbidden", **talk.ids)
    await refused(await cast.ops(), "attempt_end", "forbidden", **talk.ids)
    assert "attempt_chat_ended" not in client.names()
    await talk.end(grade=False)
    await refused(client, "attempt_end", "conflict", **talk.ids)
    await client.until("attempt_ended")
    assert len(client.named("attempt_chat_ended")) == 1


async def test_a_grading_that_fails_ends_the_chat_all_the_same(server: Server, client: Client) -> None:
    await server.script({"match": {"schema": "Verdict"}, "status": 400})
    talk = await begin(client)
    await talk.say()
    ack = await client.send("attempt_end", **talk.ids)
    ended = await client.until("attempt_chat_ended")
    assert "grade_id" not in ended
    error = client.named("attempt_error")[0]
    assert (error["type"], error["code"], error["room"]) == ("grade", "upstream", talk.room)
    assert error["grade_id"] == ack["grade_id"]
    assert "attempt_graded" not in client.names()
    await client.until("attempt_ended")
    await server.script(*FULL_MARKS)
    again = await client.send("attempt_grade", **talk.ids)
    graded = await client.until("attempt_graded")
    assert [graded["grade_id"]] == again["grade_ids"]
    assert graded["passed"]


async def test_end_all_grades_the_open_chat_and_ends_the_attempt(server: Server, client: Client) -> None:
    await server.script(*FULL_MARKS)
    talk = await begin(client, "two")
    await talk.say()
    ack = await client.send("attempt_end_all", attempt_id=talk.attempt_id)
    assert ack == {"success": True, "chat_ids": [talk.chat_id]}
    over = await client.until("attempt_ended")
    assert (over["success"], over["all_scenarios_complete"]) == (True, False)
    assert over["room"].startswith("profile_")
    ended = await client.until("attempt_chat_ended")
    assert ended["is_attempt_finished"] is True
    assert ended["grade_id"] == client.named("attempt_graded")[0]["grade_id"]
    assert len(client.named("attempt_chat_started")) == 1
    await refused(client, "attempt_end_all", "conflict", attempt_id=talk.attempt_id)


async def test_end_all_counts_every_scenario(server: Server, learner: Socket) -> None:
    talk = await begin(learner, "two")
    await talk.end(grade=False)
    second = await next_talk(talk)
    ack = await learner.send("attempt_end_all", attempt_id=talk.attempt_id)
    assert ack["chat_ids"] == [second.chat_id]
    assert (await learner.until("attempt_ended"))["all_scenarios_complete"] is True


async def test_end_all_while_a_chat_is_being_graded(server: Server, learner: Socket) -> None:
    await server.script({"match": {"schema": "Verdict"}, "first_delay_ms": 200})
    talk = await begin(learner, "two")
    await talk.say()
    await learner.send("attempt_end", **talk.ids)
    await learner.until("attempt_grading_progress")
    await learner.send("attempt_end_all", attempt_id=talk.attempt_id)
    over = await learner.until("attempt_ended")
    assert over["all_scenarios_complete"] is False
    assert len(learner.named("attempt_graded")) == 1
    assert len(learner.named("attempt_chat_started")) == 1


async def test_end_all_in_a_lobby(server: Server, client: Client) -> None:
    ack = await client.send("attempt_start", practice_id=practice("lobby-first"))
    assert await client.send("attempt_end_all", attempt_id=ack["attempt_id"]) == {
        "success": True,
        "chat_ids": [],
    }
    assert (await client.until("attempt_ended"))["all_scenarios_complete"] is False


async def test_refusals_of_end_all(server: Server, cast: Cast, client: Client) -> None:
    talk = await begin(client)
    await refused(client, "attempt_end_all", "not_found", attempt_id=new())
    await refused(await cast.stranger(), "attempt_end_all", "not_found", attempt_id=talk.attempt_id)
    await refused(await cast.author(), "attempt_end_all", "forbidden", attempt_id=talk.attempt_id)
    await talk.say()


async def test_two_attempts_do_not_meet(server: Server, learner: Socket) -> None:
    one, two = await begin(learner), await begin(learner)
    await one.end(grade=False)
    assert (await two.say())["chat_id"] == two.chat_id
    assert [d["attempt_id"] for d in learner.named("attempt_ended")] == [one.attempt_id]
