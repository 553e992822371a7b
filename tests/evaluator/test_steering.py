"""Ending calls, judging anew, and what the room shows of it."""

import asyncio
from functools import partial

import orjson
import pytest

from schemas.evaluator_run import EvaluatorRun
from server.engine.evaluator.invalid import Invalid
from server.errors import Conflict
from tests.evaluator.agents import agent, patient
from tests.evaluator.crowds import Crowd
from tests.evaluator.lab import Lab, OpenLab
from tests.fold.oracle import log_of

TURNS = {"name": "turns", "type": "built_in", "eval_type": "numeric"}
FEW = {**TURNS, "pass": {"operator": "<", "value": 1}}


def has_ended(run_id: int, runs: list[EvaluatorRun]) -> bool:
    """Tell whether one of the runs has ended."""
    return any(run.id == run_id and run.state == "ended" for run in runs)


def held() -> Crowd:
    """Return an agent that does not answer yet."""
    crowd = Crowd()
    crowd.held.clear()
    return crowd


async def test_ending_calls_cuts_those_that_talk_and_begins_no_more(lab: Lab) -> None:
    crowd = held()
    async with agent(crowd.talk) as called:
        scenario = await lab.scenario(await lab.agent(called.url))
        result_id = await lab.start(scenario, freq=20, concurrency_limit=2)
        await crowd.until_calls(2)
        answer = await lab.evaluators.end_calls(lab.author, result_id)
        assert answer["id"] == result_id
        crowd.held.set()
        view = await lab.ended(result_id)
        again = await lab.evaluators.end_calls(lab.author, result_id)
    assert crowd.calls.total() == 2
    assert (view["status"], again["status"], view["success_rate"]) == ("cancelled", "cancelled", 0.0)
    reasons = {run["metadata"]["ended_reason"] for run in view["runs"].values()}
    assert (reasons, view["total_runs_count"]) == ({"run-cancelled-by-user"}, 20)
    assert {run["status"] for run in view["runs"].values()} == {"cancelled"}


async def test_a_call_is_ended_alone(lab: Lab) -> None:
    crowd = held()
    async with agent(crowd.talk) as called:
        scenario = await lab.scenario(await lab.agent(called.url))
        result_id = await lab.start(scenario, freq=3, concurrency_limit=2)
        await crowd.until_calls(2)
        first, _, waiting = await lab.runs(result_id)
        for run in (waiting, first):
            assert (await lab.evaluators.end_call(lab.author, run.id))["id"] == run.id
            await lab.until(result_id, partial(has_ended, run.id))
        crowd.held.set()
        view = await lab.ended(result_id)
    assert [run["status"] for run in view["runs"].values()] == ["cancelled", "completed", "cancelled"]
    assert (view["status"], view["success_runs_count"], crowd.calls.total()) == ("cancelled", 1, 2)


async def test_a_result_that_waits_ends_at_once(open_lab: OpenLab) -> None:
    async with open_lab(job_slots=0) as lab:
        result_id = await lab.start(await lab.scenario(await lab.agent("ws://127.0.0.1:1/")), freq=5)
        answer = await lab.evaluators.end_calls(lab.author, result_id)
        assert answer["status"] == "cancelled"
        view = await lab.ended(result_id)
    assert {run["attempt"] for run in view["runs"].values()} == {0}


async def test_runs_are_judged_anew_by_other_metrics(lab: Lab) -> None:
    async with agent(patient) as called:
        scenario = await lab.scenario(await lab.agent(called.url))
        result_id = await lab.start(scenario, freq=2)
        first = await lab.ended(result_id)
    metric = (await lab.resources.create(lab.author, "metrics", FEW))["id"]
    answer = await lab.evaluators.evaluate_metrics(lab.author, result_id, {"metrics": [metric]})
    assert answer["status"] == "in_progress"
    view = await lab.ended(result_id, ends=2)
    assert (first["success_rate"], view["success_rate"], view["status"]) == (100.0, 0.0, "completed")
    for run in view["runs"].values():
        (value,) = run["evaluation"]["metrics"]
        assert (value["name"], value["value"], value["passed"]) == ("turns", 1.0, False)
        assert run["attempt"] == 1
    log = await log_of(lab.store, f"result_{result_id}")
    judged = [orjson.loads(row.j)["judged"] for row in log if row.name == "run_ended"]
    assert sorted(judged) == [1, 1, 2, 2]
    with pytest.raises(Invalid, match="no metric"):
        await lab.evaluators.evaluate_metrics(lab.author, result_id, {"metrics": [10**6]})


async def test_judging_anew_counts_the_runs_that_are_left(lab: Lab) -> None:
    async with agent(patient) as called:
        result_id = await lab.start(await lab.scenario(await lab.agent(called.url)), freq=3)
        await lab.ended(result_id)
    (run, *_) = await lab.runs(result_id)
    await lab.evaluators.delete_runs(lab.author, result_id, {"run_ids": [run.id]})
    await lab.evaluators.evaluate_metrics(lab.author, result_id, None)
    async with asyncio.timeout(30):  # what the room adds up still has the deleted run
        while (await lab.stored(result_id)).ends < 2:
            await lab.store.ping()
    log = await log_of(lab.store, f"result_{result_id}")
    assert [orjson.loads(row.j)["total_runs"] for row in log if row.name == "result_started"] == [3, 2]


async def test_a_refused_judging_anew_changes_nothing(lab: Lab) -> None:
    async with agent(patient) as called:
        result_id = await lab.start(await lab.scenario(await lab.agent(called.url)))
        await lab.ended(result_id)
    silence = {"name": "silence", "type": "built_in", "eval_type": "numeric"}
    ids = [(await lab.resources.create(lab.author, "metrics", body))["id"] for body in (TURNS, silence)]
    refused = 0
    for ends in range(2, 8):
        asked = [lab.evaluators.evaluate_metrics(lab.author, result_id, {"metrics": [i]}) for i in ids]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        taken = [i for i, answer in zip(ids, answers, strict=True) if not isinstance(answer, Conflict)]
        view = await lab.ended(result_id, ends=ends)
        (run,) = view["runs"].values()
        assert [metric["id"] for metric in run["evaluation"]["metrics"]] == taken[-1:]
        refused += len(ids) - len(taken)
    assert refused
    assert await lab.store.database.evaluator_setups.count_documents({"_id.r": result_id}) == 1


async def test_nothing_is_judged_anew_before_the_end(lab: Lab) -> None:
    crowd = held()
    async with agent(crowd.talk) as called:
        result_id = await lab.start(await lab.scenario(await lab.agent(called.url)))
        with pytest.raises(Conflict):
            await lab.evaluators.evaluate_metrics(lab.author, result_id, None)
        crowd.held.set()
        await lab.ended(result_id)
