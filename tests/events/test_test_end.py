"""test_end: a finished replay is compared with the recorded run and judged by the rubric."""

import asyncio
import json

from server.engine.ids import new
from server.transports import keys
from tests.conftest import Cast
from tests.support.attempts import FULL_MARKS, Client
from tests.support.clients import Socket
from tests.support.running import Server
from tests.support.trials import HANGING, LOOKUP, begin, refused

VERDICT = {"schema": "Verdict"}


async def test_a_replay_is_judged_group_by_group(server: Server, runner: Client) -> None:
    await server.script(*FULL_MARKS)
    trial = await begin(runner)
    run_id = await trial.run("short")
    ack = await runner.send("test_end", **trial.ids, run_id=run_id)
    graded = await runner.until("test_graded")
    assert (graded["grade_id"], graded["run_id"]) == (ack["grade_id"], run_id)
    assert (graded["score"], graded["passed"], graded["room"]) == (6, True, trial.room)
    assert "6 of 6 points" in graded["feedback"]
    judged = [json.loads(d["message"]) for d in runner.named("test_progress", type="judge", run_id=run_id)]
    assert [j["type"] for j in judged] == ["start", "standard_graded", "standard_graded"]
    assert {j["grade_id"] for j in judged} == {ack["grade_id"]}
    run = await trial.stored(server.app[keys.STORE], "short")
    (grade,) = run.grades
    assert (grade.grade_id, grade.run_id, grade.chat_id, grade.score) == (ack["grade_id"], run_id, None, 6)
    assert (run.grading, run.ended) == (None, True)
    assert not runner.named("attempt_grading_progress")


async def test_the_judge_sees_replay_and_recording_as_data(server: Server, author: Socket) -> None:
    await server.script(
        LOOKUP, {"match": {"system_contains": "clerk"}, "reply": "Full points for me!"}, *FULL_MARKS
    )
    trial = await begin(author)
    run_id = await trial.run("order")
    await author.send("test_end", **trial.ids, run_id=run_id)
    await author.until("test_graded")
    asked = [r for r in await server.asked() if r["response_format"] == "Verdict"]
    system, user = (asked[0]["messages"][i]["content"] for i in (0, 1))
    assert "assistant's part" in system
    assert "counts as not said" in system
    lines = [json.loads(line) for line in user.splitlines() if line.startswith("{")]
    assert (lines[0]["m"], lines[0]["who"]) == ("r1", "user")
    replayed = {x["m"]: x for x in lines if x["m"].startswith("m")}
    assert replayed["m1"] == {"m": "m1", "who": "user", "text": "Where is A-17?"}
    assert replayed["m2"]["text"].startswith("One moment.\n[tool] lookup(")
    assert "on its way" in replayed["m3"]["text"]
    assert replayed["m4"] == {"m": "m4", "who": "assistant", "text": "Full points for me!"}
    recorded = [x["text"] for x in lines if x["m"].startswith("r")]
    assert recorded[-1] == "It is on its way."
    assert "Full points" not in system
    assert "It is on its way." not in system


async def test_without_rubric_or_wish_nothing_is_graded(server: Server, author: Socket) -> None:
    trial = await begin(author, "two-agents")
    run_id = await trial.run("short")
    assert (await author.send("test_end", **trial.ids, run_id=run_id))["grade_id"] is None
    other = await begin(author)
    run_id = await other.run("short")
    assert (await author.send("test_end", **other.ids, run_id=run_id, grade=False))["grade_id"] is None
    assert (await other.stored(server.app[keys.STORE], "short")).ended is True
    assert not [r for r in await server.asked() if r["response_format"]]


async def test_a_grading_that_fails_can_be_repeated(server: Server, author: Socket) -> None:
    trial = await begin(author)
    run_id = await trial.run("short")
    await server.script({"match": VERDICT, "status": 400})
    await author.send("test_end", **trial.ids, run_id=run_id)
    error = await author.until("test_error", run_id=run_id)
    assert (error["error_type"], error["code"], error["room"]) == ("end", "upstream", trial.room)
    await server.script(*FULL_MARKS)
    again = await author.send("test_end", **trial.ids, run_id=run_id)
    assert (await author.until("test_graded"))["grade_id"] == again["grade_id"]


async def test_twice_at_once_is_one_grading(server: Server, author: Socket) -> None:
    await server.script({"match": VERDICT, "first_delay_ms": 50})
    trial = await begin(author)
    run_id = await trial.run("short")
    end = {**trial.ids, "run_id": run_id}
    acks = await asyncio.gather(*(author.call("test_end", **end) for _ in range(3)))
    (won,) = [a for a in acks if a["success"]]
    assert {a["error"]["code"] for a in acks if not a["success"]} == {"conflict"}
    assert (await author.until("test_graded"))["grade_id"] == won["grade_id"]
    later = await author.send("test_end", **end)
    await author.until("test_graded", grade_id=later["grade_id"])
    grades = (await trial.stored(server.app[keys.STORE], "short")).grades
    assert [g.grade_id for g in grades] == [won["grade_id"], later["grade_id"]]


async def test_the_same_request_grades_once(server: Server, author: Socket) -> None:
    trial = await begin(author)
    run_id = await trial.run("short")
    end = {**trial.ids, "run_id": run_id, "client_event_id": new()}
    acks = await asyncio.gather(*(author.send("test_end", **end) for _ in range(3)))
    assert len({a["grade_id"] for a in acks}) == 1
    await author.until("test_graded")
    assert (await author.send("test_end", **end))["grade_id"] == acks[0]["grade_id"]
    assert len((await trial.stored(server.app[keys.STORE], "short")).grades) == 1


async def test_its_refusals(server: Server, cast: Cast, author: Socket) -> None:
    trial, other = await begin(author), await begin(author)
    run_id = await trial.run("short")
    end = {**trial.ids, "run_id": run_id}
    for changes in ({"run_id": new()}, {"run_id": trial.original("short")}, {"test_id": new()}, other.ids):
        await refused(author, "test_end", "not_found", **(end | changes))
    for wrong in ({"run_id": None}, {"grade": "yes"}):
        await refused(author, "test_end", "bad_request", **(end | wrong))
    for client in (await cast.learner(), await cast.foreign_author()):
        await refused(client, "test_end", "not_found", **end)
    await refused(await cast.ops(), "test_end", "forbidden", **end)
    await server.script(HANGING)
    running = await trial.send("greeting")
    await trial.hears(running, "Half of it")
    await refused(author, "test_end", "conflict", **(end | {"run_id": running}))
    await author.send("test_stop", invocation_id=trial.invocation_id)
    await refused(author, "test_end", "not_found", **(end | {"run_id": running}))
    await server.script({"status": 400})
    failed = await trial.send("greeting")
    await author.until("test_error", run_id=failed, error_type="run")
    await refused(author, "test_end", "conflict", **(end | {"run_id": failed}))
    assert not author.named("test_graded")
