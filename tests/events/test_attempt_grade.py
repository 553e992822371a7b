"""attempt_grade: a new grade each time, by the owner or an author."""

from server.engine.ids import new
from tests.conftest import Cast
from tests.support.attempts import FULL_MARKS, Client, Data, Talk, begin, next_talk, refused
from tests.support.clients import Socket
from tests.support.running import Server

REVIEW = {"strengths", "improvements", "analyses"}


async def ended_talk(client: Client, key: str = "one") -> Talk:
    """Practise a chat and end it without a grade."""
    talk = await begin(client, key)
    await talk.say("I listen.")
    await talk.end(grade=False)
    return talk


async def test_a_new_grade_each_time(server: Server, client: Client) -> None:
    talk = await ended_talk(client)
    lowest = await client.send("attempt_grade", **talk.ids)
    assert [r["room"] for r in lowest["rooms"]] == [talk.room]
    first = await client.until("attempt_graded")
    assert (first["score"], first["passed"]) == (0, False)
    await server.script(*FULL_MARKS)
    highest = await client.send("attempt_grade", **talk.ids, user_instructions=["Be kind."])
    second = await client.until("attempt_graded", count=2)
    assert (second["score"], second["passed"]) == (6, True)
    assert [first["grade_id"]] == lowest["grade_ids"]
    assert [second["grade_id"]] == highest["grade_ids"]
    assert first["grade_id"] != second["grade_id"]
    grades = (await talk.snapshot())["grades"]
    assert [(g["grade_id"], g["score"]) for g in grades] == [(first["grade_id"], 0), (second["grade_id"], 6)]


async def test_the_kinds_that_are_made_can_be_chosen(server: Server, client: Client) -> None:
    talk = await ended_talk(client)
    await client.send("attempt_grade", **talk.ids, resource_types=["feedbacks"])
    await client.until("attempt_graded")
    assert "attempt_content_progress" not in client.names()
    await client.send("attempt_grade", **talk.ids, resource_types=["strengths", "strengths"])
    await client.until("attempt_graded", count=2)
    assert {d["resource_type"] for d in client.named("attempt_content_progress")} == {"strengths"}
    await client.send("attempt_grade", **talk.ids, resource_types=None)
    last = await client.until("attempt_graded", count=3)
    made = client.named("attempt_content_progress", grade_id=last["grade_id"])
    assert {d["resource_type"] for d in made} == REVIEW


async def test_every_closed_chat_is_graded_when_none_is_named(server: Server, learner: Socket) -> None:
    talk = await ended_talk(learner, "two")
    second = await next_talk(talk)
    one = await learner.send("attempt_grade", attempt_id=talk.attempt_id)
    assert len(one["grade_ids"]) == 1  # the other is open still
    await learner.until("attempt_graded")
    await second.end(grade=False)
    both = await learner.send("attempt_grade", attempt_id=talk.attempt_id, chat_id=None)
    graded = [await learner.until("attempt_graded", grade_id=g) for g in both["grade_ids"]]
    assert {g["chat_id"] for g in graded} == {talk.chat_id, second.chat_id}


async def test_a_grade_asked_for_before_the_chat_has_ended_is_seen(server: Server, client: Client) -> None:
    await server.script({"match": {"schema": "Verdict"}, "first_delay_ms": 100})
    talk = await begin(client)
    await talk.say()
    end = await client.send("attempt_end", **talk.ids, grade=False)
    ack = await client.send("attempt_grade", **talk.ids)
    assert end["grade_id"] is None
    await client.until("attempt_chat_ended")
    assert [(await client.until("attempt_graded"))["grade_id"]] == ack["grade_ids"]


async def test_an_author_grades_and_the_learner_sees_it(server: Server, cast: Cast) -> None:
    learner, author = await cast.learner(), await cast.author()
    talk = await ended_talk(learner)
    await learner.send("attempt_join", chat_id=talk.chat_id)
    ack = await author.send("attempt_grade", **talk.ids)
    for client in (author, learner):
        assert [(await client.until("attempt_graded"))["grade_id"]] == ack["grade_ids"]


async def test_a_grading_that_fails_tells_so_and_can_be_repeated(server: Server, client: Client) -> None:
    talk = await ended_talk(client)
    await server.script({"match": {"schema": "Verdict"}, "status": 400})
    ack = await client.send("attempt_grade", **talk.ids)
    error = await client.until("attempt_error")
    assert (error["type"], error["code"]) == ("grade", "upstream")
    assert [error["grade_id"]] == ack["grade_ids"]
    await server.script(*FULL_MARKS)
    again = await client.send("attempt_grade", **talk.ids)
    graded = await client.until("attempt_graded")
    assert [graded["grade_id"]] == again["grade_ids"]


async def test_a_part_that_fails_is_missing_from_the_grade(server: Server, client: Client) -> None:
    talk = await ended_talk(client)
    await server.script({"match": {"schema": "StrengthsDraft"}, "status": 400}, *FULL_MARKS)
    await client.send("attempt_grade", **talk.ids)
    graded = await client.until("attempt_graded")
    (grade,) = (await talk.snapshot())["grades"]
    assert (graded["score"], grade["score"]) == (6, 6)
    assert grade["strengths"] == []
    assert grade["analyses"]


async def test_its_refusals(server: Server, cast: Cast, client: Client) -> None:
    talk, other = await begin(client), await ended_talk(client, "patient")
    await refused(client, "attempt_grade", "conflict", **talk.ids)
    await refused(client, "attempt_grade", "conflict", attempt_id=talk.attempt_id)
    await refused(client, "attempt_grade", "conflict", **other.ids)  # without a rubric
    await refused(client, "attempt_grade", "conflict", attempt_id=other.attempt_id)
    await refused(client, "attempt_grade", "not_found", attempt_id=new())
    await refused(client, "attempt_grade", "not_found", attempt_id=talk.attempt_id, chat_id=new())
    await refused(client, "attempt_grade", "not_found", attempt_id=talk.attempt_id, chat_id=other.chat_id)
    await talk.end(grade=False)
    wrong: list[Data] = [{"resource_types": []}, {"resource_types": ["grades"]}, {"user_instructions": [""]}]
    for changes in wrong:
        error = await refused(client, "attempt_grade", "bad_request", **talk.ids, **changes)
        assert error["details"][0]["loc"][0] == next(iter(changes))
    await refused(await cast.stranger(), "attempt_grade", "not_found", **talk.ids)
    await refused(await cast.ops(), "attempt_grade", "forbidden", **talk.ids)
    assert "attempt_grading_progress" not in client.names()
