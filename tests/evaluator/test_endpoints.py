"""Results and their runs over HTTP: read back, ended, repeated, judged anew, deleted, and by whom."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from tests.evaluator.agents import agent, mute, patient
from tests.evaluator.client import NOWHERE, TEXT, Client, Desk, agent_at, desk_of, ended, scenario_of
from tests.evaluator.lab import WITHIN, Lab, OpenLab
from tests.support.passing import passes


@pytest_asyncio.fixture
async def desk(lab: Lab) -> AsyncIterator[Desk]:
    async with desk_of(lab.server) as found:
        yield found


@pytest_asyncio.fixture
async def author(desk: Desk) -> Client:
    return await desk.person()


async def test_results_and_runs_are_read_back(author: Client) -> None:
    async with agent(patient) as called:
        clerk, other = await agent_at(author, called.url), await agent_at(author)
        scenario = await scenario_of(author, clerk)
        first = await author.post(TEXT, {"scenarios": [scenario], "freq": 2})
        broken = await author.post(TEXT, {"scenarios": [await scenario_of(author, other)]})
        found = await ended(author, first["id"])
        await ended(author, broken["id"])
    assert found["status"] == "completed"
    assert [found[f"{name}_runs_count"] for name in ("total", "completed", "success", "failed")] == [
        2,
        2,
        2,
        0,
    ]
    assert list(found["runs"]) == [str(run["id"]) for run in first["runs"]]
    run = await author.get(f"runs-external/{first['runs'][0]['id']}")
    assert found["runs"][str(run["id"])] == run
    assert run["has_simulator_error"] is False
    brief = await author.get(f"results/{first['id']}/?transcripts=false")
    assert brief["transcripts_left_out"]
    said = {"transcript", "transcript_object", "evaluation", "expected_outcome", "metadata"}
    said |= {"simulator_error", "judge_model", "judge_reliable", "recording_url"}
    assert brief["runs"][str(run["id"])] == {k: v for k, v in run.items() if k not in said}
    assert run["transcript"].splitlines()[0] == "[00:00] Testing Agent: Hello"
    assert re.fullmatch(r"\d\d:\d\d", run["duration"])
    assert run["metadata"]["ended_reason"] == "Testing agent-ended-call"
    failed = await author.get(f"runs/{broken['runs'][0]['id']}/")
    assert (failed["status"], failed["success"]) == ("failed", False)
    assert failed["metadata"]["ended_reason"] == "Main agent-call-not-connected"
    assert failed["error_message"]
    for query, wanted in (
        ("", 3),
        (f"result_id={first['id']}", 2),
        (f"agent_id={other}", 1),
        ("status=failed", 1),
        (f"status=completed&agent_id={other}", 0),
        ("result_id=999999", 0),
    ):
        assert (await author.get(f"runs/?{query}"))["count"] == wanted, query
    ids = [first["runs"][1]["id"], broken["runs"][0]["id"]]
    bulk = await author.get(f"runs/bulk/?run_ids={ids[0]},{ids[1]},999999&run_ids={ids[0]}")
    assert [one["id"] for one in bulk] == ids
    assert [r["id"] for r in (await author.get(f"results/?agent_id={clerk}"))["results"]] == [first["id"]]
    page = await author.get("results-external?page=2&page_size=1")
    assert (page["count"], [r["id"] for r in page["results"]]) == (2, [first["id"]])


async def test_queries_that_are_wrong_name_their_parameter(author: Client) -> None:
    for path in ("runs/?status=done", "runs/?result_id=x", "runs/?agent_id=-1", "runs/?page=0"):
        name = path.partition("?")[2].partition("=")[0]
        assert list(await author.get(path, 400)) == [name]
    for query in ("", "run_ids=", "run_ids=,", "run_ids=1,x", "run_ids=1.5", f"run_ids={'1,' * 201}"):
        assert list(await author.get(f"runs/bulk/?{query}", 400)) == ["run_ids"]
    assert list(await author.get("results/?agent_id=true", 400)) == ["agent_id"]
    result = await author.post(TEXT, {"scenarios": [await scenario_of(author, await agent_at(author))]})
    assert list(await author.get(f"results/{result['id']}/?transcripts=no", 400)) == ["transcripts"]


async def test_calls_are_ended_and_results_deleted(author: Client) -> None:
    async with agent(mute) as called:
        clerk = await agent_at(author, called.url)
        begun = await author.post(TEXT, {"scenarios": [await scenario_of(author, clerk)], "freq": 3})
        result, runs = begun["id"], [run["id"] for run in begun["runs"]]
        async with asyncio.timeout(WITHIN):
            while len(called.calls) < 3:
                await passes(0.02, because="an agent tells nobody of its calls")
        assert list(await author.ask("DELETE", f"results/{result}/", status=409)) == ["detail"]
        assert list(await author.post(f"results/{result}/evaluate_metrics", status=409)) == ["detail"]
        await author.post(f"results/{result}/delete_runs", {"run_ids": runs[:1]}, 409)
        await author.post(f"runs-external/{runs[0]}/end_call", status=200)
        await author.post(f"results-external/{result}/end_calls/", status=200)
        found = await ended(author, result)
    assert found["status"] == "cancelled"
    assert {run["status"] for run in found["runs"].values()} == {"cancelled"}
    await author.post(f"results/{result}/end_calls", status=200)
    await author.post(f"runs/{runs[0]}/end_call/", status=200)
    wrong: list[Any] = [None, [], "all", [999_999], [True], [1.0]]
    for body in ({}, *({"run_ids": value} for value in wrong)):
        assert list(await author.post(f"results/{result}/delete_runs/", body, 400)) == ["run_ids"]
    left = await author.post(f"results/{result}/delete_runs/", {"run_ids": runs[:1]}, 200)
    assert left["total_runs_count"] == 2
    await author.get(f"runs/{runs[0]}", 404)
    await author.ask("DELETE", f"results/{result}/", status=204)
    for path in (f"results/{result}", f"runs/{runs[1]}"):
        await author.get(path, 404)
    await author.ask("DELETE", f"results/{result}/", status=404)


async def test_a_result_is_repeated_and_judged_anew(author: Client) -> None:
    async with agent(patient) as called:
        clerk = await agent_at(author, called.url)
        scenario = await scenario_of(author, clerk)
        begun = await author.post(TEXT, {"scenarios": [scenario]})
        await ended(author, begun["id"])
        await author.ask("DELETE", f"scenarios/{scenario}", status=204)  # results keep what they are made of
        again = await author.post(f"results/{begun['id']}/rerun/")
        assert set(again) == set(begun)
        assert again["id"] != begun["id"]
        assert (await ended(author, again["id"]))["success_rate"] == 100.0
    rule = {"operator": "<", "value": 0}
    metric = await author.create(
        "metrics", name="turns", type="built_in", eval_type="numeric", **{"pass": rule}
    )
    address = f"results/{begun['id']}/evaluate_metrics/"
    for body in ({"metrics": "x"}, {"metrics": [999_999]}, {"metrics": [True]}):
        assert list(await author.post(address, body, 400)) == ["metrics"]
    for data, answered in ((b"{", "detail"), (b"[]", "non_field_errors"), (b'{"metrics": [NaN]}', "metrics")):
        answer = await author.raw("POST", address, status=400, data=data)
        assert list(orjson.loads(answer)) == [answered]
    await author.post(address, {"metrics": [metric]}, 200)
    found = await ended(author, begun["id"])
    assert found["success_rate"] == 0.0
    assert next(iter(found["runs"].values()))["evaluation"]["metrics"][0]["name"] == "turns"


async def test_who_may_start_and_steer(desk: Desk, author: Client) -> None:
    clerk = await agent_at(author)
    body = {"scenarios": [await scenario_of(author, clerk)]}
    begun = await author.post(TEXT, body)
    await ended(author, begun["id"])
    result, run = f"results/{begun['id']}", f"runs/{begun['runs'][0]['id']}"
    ops, learner = await desk.person("ops"), await desk.person("learner")
    foreign, nobody = await desk.person(org="elsewhere"), desk.showing({})
    for path in (result, run, "results", "runs", f"runs/bulk?run_ids={begun['runs'][0]['id']}"):
        await ops.get(path)
        await learner.get(path, 403)
        await nobody.get(path, 401)
    for path in (result, run):
        assert await foreign.get(path, 404) == await foreign.get(f"{path}000000", 404)
    steered = [f"{result}/{name}" for name in ("rerun", "end_calls", "evaluate_metrics", "delete_runs")]
    for path in (*steered, f"{run}/end_call"):
        await foreign.post(path, {"run_ids": [1]}, 404)
        for person, status in ((ops, 403), (learner, 403), (nobody, 401)):
            await person.post(path, {}, status)
    for person, status in ((ops, 403), (learner, 403), (nobody, 401), (foreign, 404)):
        await person.ask("DELETE", result, status=status)
    for person, status in ((ops, 403), (learner, 403), (nobody, 401), (foreign, 400)):
        await person.post(TEXT, body, status)


@pytest.mark.parametrize("private", [True, False])
async def test_a_connection_is_tried(open_lab: OpenLab, private: bool) -> None:
    async with open_lab(private_urls=private) as lab, desk_of(lab.server) as desk, agent(patient) as called:
        author, address = await desk.person(), "aiagents/verify-websocket/"
        secret = {"websocket_secret": "s3cret", "websocket_headers": {"X-Team": "blue"}}
        clerk = await agent_at(author, called.url, **secret)
        tried = await author.post(address, {"agent_id": clerk}, 200)
        assert list(tried) == ["success", "message", "duration_ms"]
        assert tried["success"] is private
        assert len(called.calls) == int(private)
        if not private:
            assert "private network" in tried["message"]
            return
        headers = called.calls[0].request.headers
        assert (headers["X-VOCERA-SECRET"], headers["X-Team"]) == ("s3cret", "blue")
        assert (await author.post(address, {"websocket_url": called.url}, 200))["success"] is True
        assert (await author.post(address, {"websocket_url": NOWHERE}, 200))["success"] is False
        await refuse_to_try(author, address, clerk=clerk)
        await (await desk.person("ops")).post(address, {"agent_id": clerk}, 403)
        foreign = await desk.person(org="elsewhere")
        assert list(await foreign.post(address, {"agent_id": clerk}, 400)) == ["agent_id"]


async def refuse_to_try(author: Client, address: str, *, clerk: int) -> None:
    """Check that wrong requests to try a connection are refused."""
    for field, body in (
        ("non_field_errors", {}),
        ("non_field_errors", {"agent_id": clerk, "websocket_url": NOWHERE}),
        ("agent_id", {"agent_id": 10**9}),
        ("agent_id", {"agent_id": True}),
        ("assistant_id", {"assistant_id": "nobody-at-all"}),
        ("websocket_url", {"websocket_url": "http://host/"}),
        ("websocket_url", {"websocket_url": 1}),
        ("websocket_url", {"agent_id": await author.create("aiagents")}),
        ("websocket_headers", {"websocket_url": NOWHERE, "websocket_headers": {"Host": "x"}}),
    ):
        assert list(await author.post(address, body, 400)) == [field], body
