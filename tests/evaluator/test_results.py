"""Results from their start to their end: what is answered, stored, and shown."""

import asyncio
from functools import partial

import pytest

from server.engine.evaluator.invalid import Invalid
from server.errors import Conflict, Forbidden, NotFound
from tests.evaluator.agents import agent, patient
from tests.evaluator.crowds import Crowd
from tests.evaluator.lab import HELLO_BYE, Lab, OpenLab
from tests.support.batches import identity


async def test_runs_are_played_and_end(lab: Lab) -> None:
    async with agent(patient) as called:
        clerk = await lab.agent(called.url)
        result_id = await lab.start(await lab.scenario(clerk), freq=3)
        view = await lab.ended(result_id)
    assert (view["status"], view["success_rate"], view["total_runs_count"]) == ("completed", 100.0, 3)
    assert [run["number"] for run in view["runs"].values()] == [1, 2, 3]
    run = next(iter(view["runs"].values()))
    assert (run["status"], run["success"], run["attempt"]) == ("completed", True, 1)
    assert run["metadata"]["ended_reason"] == "Testing agent-ended-call"
    assert [item["content"] for item in run["transcript_object"]] == ["Hello", "Yes?", "Bye"]
    assert len(called.calls) == 3


async def test_what_is_answered_at_the_start_is_stored(lab: Lab) -> None:
    crowd = Crowd()
    crowd.held.clear()
    async with agent(crowd.talk) as called:
        scenario = await lab.scenario(await lab.agent(called.url))
        body = {"scenarios": [scenario], "freq": 2, "name": "evening"}
        answer = await lab.evaluators.start(lab.author, body, as_text=True)
        assert {k: answer[k] for k in ("status", "success_rate", "run_as_text")} == {
            "status": "running",
            "success_rate": 0.0,
            "run_as_text": True,
        }
        assert [(run["scenario"], run["number"]) for run in answer["runs"]] == [(scenario, 1), (scenario, 2)]
        assert answer["created_at"].endswith("000Z")
        await crowd.until_calls(2)
        runs = await lab.until(answer["id"], lambda runs: {r.status for r in runs} == {"in_progress"})
        assert [run.id for run in runs] == [run["id"] for run in answer["runs"]]
        while (view := await lab.evaluators.result(lab.author, answer["id"]))["status"] == "running":
            pass  # a result is noted as connected just after its runs
        assert (view["status"], view["name"], view["completed_runs_count"]) == ("in_progress", "evening", 0)
        crowd.held.set()
        view = await lab.ended(answer["id"])
    assert (view["success_runs_count"], view["pass_hat_k"]) == (2, [1.0, 1.0])


@pytest.mark.parametrize(("limit", "process"), [(3, 500), (None, 4)])
async def test_not_more_conversations_than_the_limits_are_at_once(
    open_lab: OpenLab, limit: int | None, process: int
) -> None:
    crowd = Crowd(low=0.01, high=0.03)
    async with open_lab(evaluator_runs=process) as lab, agent(crowd.talk) as called:
        scenario = await lab.scenario(await lab.agent(called.url))
        first = await lab.start(scenario, freq=12, **({"concurrency_limit": limit} if limit else {}))
        view = await lab.ended(first)
    assert view["success_rate"] == 100.0
    assert crowd.most == (limit or process)


async def test_a_call_is_ended_after_so_many_turns(open_lab: OpenLab) -> None:
    again = {"id": 1, "condition": 'contains "yes"', "action": "Hello again", "fixed_message": True}
    acts = {**HELLO_BYE, "conditions": [HELLO_BYE["conditions"][0], again]}
    async with open_lab(evaluator_turns=2) as lab, agent(patient) as called:
        scenario = await lab.scenario(await lab.agent(called.url), conditional_actions=acts)
        view = await lab.ended(await lab.start(scenario))
    (run,) = view["runs"].values()
    assert (run["status"], run["metadata"]["ended_reason"]) == ("completed", "exceeded-max-turns")
    assert [item["role"] for item in run["transcript_object"]].count("Main Agent") == 2


async def test_the_handshake_names_the_run_and_the_requests_headers_are_strongest(lab: Lab) -> None:
    async with agent(patient) as called:
        own = {"X-Shop": "own", "X-Kept": "kept"}
        clerk = await lab.agent("ws://127.0.0.1:1/", websocket_secret="s3cret", websocket_headers=own)
        asked = {"websocket_url": called.url, "websocket_headers": {"x-shop": "asked"}}
        scenario = await lab.scenario(clerk)
        result_id = await lab.start(scenario, **asked)
        view = await lab.ended(result_id)
    headers = called.calls[0].request.headers
    (run_id,) = view["runs"]
    named = {name: headers[f"X-VOCERA-{name}"] for name in ("SECRET", "SCENARIO-ID", "RESULT-ID", "RUN-ID")}
    assert named == {
        "SECRET": "s3cret",
        "SCENARIO-ID": str(scenario),
        "RESULT-ID": str(result_id),
        "RUN-ID": run_id,
    }
    assert (headers.getall("X-Shop"), headers["X-Kept"]) == (["asked"], "kept")


async def test_an_agent_that_is_not_there_fails_the_result(lab: Lab) -> None:
    scenario = await lab.scenario(await lab.agent("ws://127.0.0.1:1/"))
    view = await lab.ended(await lab.start(scenario))
    (run,) = view["runs"].values()
    assert (view["status"], view["failed_runs_count"], run["status"]) == ("failed", 1, "failed")
    assert (run["success"], run["metadata"]["ended_reason"]) == (False, "Main agent-call-not-connected")
    assert "cannot be reached" in run["error_message"]


async def test_the_same_key_starts_one_result(lab: Lab) -> None:
    async with agent(patient) as called:
        body = {"scenarios": [await lab.scenario(await lab.agent(called.url))]}
        start = partial(lab.evaluators.start, lab.author, as_text=True, idempotency_key="once")
        answers = await asyncio.gather(*(start(body) for _ in range(5)))
        assert {answer["id"] for answer in answers} == {answers[0]["id"]}
        await lab.ended(answers[0]["id"])
        assert await start(body) == answers[0]
        with pytest.raises(Conflict, match="Idempotency-Key"):
            await start({**body, "name": "another"})
    assert (await lab.evaluators.results(lab.author))[0] == 1


async def test_a_result_is_repeated_as_it_was(lab: Lab) -> None:
    async with agent(patient) as called:
        clerk = await lab.agent(called.url)
        scenario = await lab.scenario(clerk)
        first = await lab.start(scenario, name="twice")
        await lab.ended(first)
        await lab.resources.change(lab.author, "scenarios", scenario, body={"name": "else"}, whole=False)
        again = await lab.evaluators.rerun(lab.author, first)
        view = await lab.ended(again["id"])
    (run,) = view["runs"].values()
    assert again["id"] != first
    assert (view["name"], run["scenario_name"]) == ("twice", "hello and bye")


async def test_others_see_nothing_and_may_nothing(lab: Lab) -> None:
    async with agent(patient) as called:
        result_id = await lab.start(await lab.scenario(await lab.agent(called.url)))
        await lab.ended(result_id)
    run_id = (await lab.runs(result_id))[0].id
    api = lab.evaluators
    stranger = identity(org="elsewhere")
    for ask in (api.result, api.rerun, api.end_calls, api.delete):
        with pytest.raises(NotFound):
            await ask(stranger, result_id)
        with pytest.raises(Forbidden):
            await ask(identity("learner"), result_id)
    for ask_of_run in (api.run, api.end_call):
        with pytest.raises(NotFound):
            await ask_of_run(stranger, run_id)
    assert await api.runs(stranger, ids=[run_id]) == (0, [])
    assert (await api.result(identity("ops"), result_id))["id"] == result_id
    with pytest.raises(Forbidden):
        await api.end_calls(identity("ops"), result_id)


async def test_runs_are_deleted_after_the_end_only(lab: Lab) -> None:
    crowd = Crowd()
    crowd.held.clear()
    async with agent(crowd.talk) as called:
        result_id = await lab.start(await lab.scenario(await lab.agent(called.url)), freq=3)
        ids = [run.id for run in await lab.runs(result_id)]
        with pytest.raises(Conflict):
            await lab.evaluators.delete_runs(lab.author, result_id, {"run_ids": ids[:1]})
        with pytest.raises(Conflict):
            await lab.evaluators.delete(lab.author, result_id)
        crowd.held.set()
        await lab.ended(result_id)
    with pytest.raises(Invalid):
        await lab.evaluators.delete_runs(lab.author, result_id, {"run_ids": [ids[0], 10**9]})
    view = await lab.evaluators.delete_runs(lab.author, result_id, {"run_ids": ids[:1]})
    assert (view["total_runs_count"], view["success_runs_count"]) == (2, 2)
    await lab.evaluators.delete(lab.author, result_id)
    with pytest.raises(NotFound):
        await lab.evaluators.result(lab.author, result_id)
    assert await lab.evaluators.runs(lab.author, result=result_id) == (0, [])
