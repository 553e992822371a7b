"""Scenarios run over HTTP: chosen in every way, under every spelling, and refused by the field."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from tests.evaluator.client import TEXT, VOICE, Client, Desk, agent_at, desk_of, ended, scenario_of
from tests.evaluator.lab import Lab

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
SPELLINGS = [
    f"/test_framework/{version}/{name}/run_scenarios_text{slash}"
    for version in ("v1", "v2")
    for name in ("scenarios", "scenarios-external")
    for slash in ("", "/")
]


@pytest_asyncio.fixture
async def desk(lab: Lab) -> AsyncIterator[Desk]:
    async with desk_of(lab.server) as found:
        yield found


@pytest_asyncio.fixture
async def author(desk: Desk) -> Client:
    return await desk.person()


async def test_a_start_is_answered_as_the_contract_says(author: Client) -> None:
    clerk = await agent_at(author)
    scenarios = [await scenario_of(author, clerk) for _ in range(2)]
    begun = await author.post(TEXT, {"scenarios": scenarios, "freq": 2, "name": "nightly"})
    assert set(begun) == {"id", "agent", "status", "success_rate", "run_as_text", "runs", "created_at"}
    assert (begun["agent"], begun["status"], begun["success_rate"]) == (clerk, "running", 0.0)
    assert begun["run_as_text"] is True
    assert STAMP.fullmatch(begun["created_at"])
    assert all(list(run) == ["id", "scenario", "number"] for run in begun["runs"])
    assert [(r["scenario"], r["number"]) for r in begun["runs"]] == [
        (s, n) for s in scenarios for n in (1, 2)
    ]
    assert len({run["id"] for run in begun["runs"]}) == 4
    assert author.answered["Location"] == f"/test_framework/v1/results/{begun['id']}/"


async def test_every_spelling_starts(author: Client) -> None:
    clerk = await agent_at(author)
    scenario = await scenario_of(author, clerk)
    for path in SPELLINGS:
        begun = await author.post(path, {"scenarios": [scenario]})
        assert begun["runs"][0]["number"] is None
        await author.post(path.replace("run_scenarios_text", "run_scenarios"), {"scenarios": [scenario]}, 400)
        assert list(await author.get(path, 405)) == ["detail"]


async def test_scenarios_are_chosen_by_ids_all_number_and_tags(author: Client) -> None:
    clerk, other = await agent_at(author, assistant_id="assistant-0001"), await agent_at(author)
    tags = [["a"], ["b"], ["a", "b"], []]
    own = [await scenario_of(author, clerk, tags=t) for t in tags]
    foreign = await scenario_of(author, other, tags=["c"])
    by_agent = {"agent_id": clerk}
    for body, wanted in (
        ({"scenarios": [own[3], own[0]]}, [own[0], own[3]]),
        ({"scenarios": "all", **by_agent}, own),
        ({"scenarios": "all", "agent_id": str(clerk)}, own),
        ({"scenarios": "all", "assistant_id": "assistant-0001"}, own),
        ({"scenarios": 2, **by_agent}, own[:2]),
        ({"scenarios": 99, **by_agent}, own),
        ({"tags": ["a"]}, [own[0], own[2]]),
        ({"tags": ["a", "b"], **by_agent}, own[:3]),
        ({"scenarios": own[:2], "tags": ["b"]}, [own[1]]),
        ({"scenarios": 2, "tags": ["b"], **by_agent}, [own[1]]),
        ({"tags": ["c"]}, [foreign]),
        ({"scenarios": "all", "agent_id": other}, [foreign]),
    ):
        begun = await author.post(TEXT, body)
        assert [run["scenario"] for run in begun["runs"]] == wanted, body


async def test_what_is_wrong_with_a_start_is_named(author: Client) -> None:
    clerk, other = await agent_at(author, assistant_id="assistant-0001"), await agent_at(author)
    one, foreign = await scenario_of(author, clerk, tags=["a"]), await scenario_of(author, other)
    fine = {"scenarios": [one]}
    for field, body in wrong_starts(one, foreign, clerk=clerk):
        for path in (TEXT, VOICE):
            answer = await author.post(path, body, 400)
            assert field in answer, (body, answer)
            assert all(isinstance(m, str) and m for messages in answer.values() for m in messages)
    unknown = await author.post(TEXT, {"scenarios": [one, 10**9]}, 400)
    assert unknown == {"scenarios": ["Invalid scenario IDs or scenarios not found"]}
    for key in ("x" * 256, "schlüssel", " "):
        assert list(await author.post(TEXT, fine, 400, Idempotency_Key=key)) == ["Idempotency-Key"]
    assert (await author.get("results/"))["count"] == 0
    bare = await author.create("aiagents")
    without = await scenario_of(author, bare)
    assert list(await author.post(TEXT, {"scenarios": [without]}, 400)) == ["agent_id"]


def wrong_starts(one: int, foreign: int, *, clerk: int) -> list[tuple[str, dict[str, Any]]]:
    """Return bodies that must be refused, each with the field that has to be named."""
    fine = {"scenarios": [one]}
    counted = {"agent_id": clerk}
    wrong: list[tuple[str, dict[str, Any]]] = [("scenarios", {}), ("scenarios", counted)]
    chosen: list[Any] = [
        [],
        "3",
        "ALL",
        "",
        0,
        -1,
        1.5,
        True,
        {},
        [[one]],
        ["1"],
        [True],
        [one, None],
        [-1],
        2**54,
    ]
    wrong += [("scenarios", {"scenarios": value, **counted}) for value in chosen]
    wrong += [
        ("scenarios", {"scenarios": [one, one]}),
        ("scenarios", {"scenarios": [one, foreign]}),
        ("scenarios", {"scenarios": list(range(10**6, 10**6 + 10_000))}),
        ("scenarios", {"scenarios": list(range(1, 10_003))}),
        ("scenarios", {"scenarios": [foreign], **counted}),
        ("agent_id", {"scenarios": "all"}),
        ("agent_id", {"scenarios": 1}),
        ("agent_id", {**fine, "agent_id": clerk, "assistant_id": "assistant-0001"}),
        ("agent_id", {"scenarios": "all", "agent_id": 10**9}),
        ("agent_id", {"scenarios": "all", "agent_id": f"0{clerk}"}),
        ("assistant_id", {"scenarios": "all", "assistant_id": "assistant-0002"}),
        ("assistant_id", {"scenarios": "all", "assistant_id": 5}),
        ("tags", {"tags": ["unknown"]}),
        ("tags", {"tags": ["b"], **fine}),
        ("personality_ids", {**fine, "personality_ids": [10**9]}),
        ("test_profile_ids", {**fine, "test_profile_ids": [10**9]}),
        ("websocket_url", {**fine, "websocket_url": "https://host/"}),
        ("websocket_url", {**fine, "websocket_url": "ws://user@host/"}),
        ("websocket_headers", {**fine, "websocket_headers": {"Host": "x"}}),
        ("websocket_headers", {**fine, "websocket_headers": {"X-A": "1\r\n"}}),
        ("websocket_headers", {**fine, "websocket_headers": {"X-A": 1}}),
        ("frequency", {**fine, "freq": 2, "frequency": 3}),
        ("freqq", {**fine, "freqq": 2}),
        ("websocket_urll", {**fine, "websocket_urll": "ws://a/"}),
        ("name", {**fine, "name": "x" * 256}),
        ("name", {**fine, "name": 1}),
    ]
    names: list[Any] = [True, 1.5, [], {}, "", "x" * 201, -(2**60)]
    for name in names:
        wrong += [(field, {"scenarios": "all", field: name}) for field in ("agent_id", "assistant_id")]
    tags: list[Any] = ["a", [], [1], [""], {}, ["x" * 101], [f"t{n}" for n in range(101)]]
    wrong += [("tags", {"tags": value}) for value in tags]
    for field, most in (("freq", 100), ("frequency", 100), ("concurrency_limit", 10_000)):
        numbers: list[Any] = [0, -1, most + 1, 2**60, "2", True, 1.5, [1], {}]
        wrong += [(field, {**fine, field: value}) for value in numbers]
    for field in ("personality_ids", "test_profile_ids"):
        ids: list[Any] = [[], 1, ["1"], [True], [0], list(range(1, 102)), [1, 1]]
        wrong += [(field, {**fine, field: value}) for value in ids]
    return wrong


async def test_too_many_runs_are_refused(author: Client) -> None:
    clerk = await agent_at(author)
    people = [await author.create("personalities") for _ in range(11)]
    profiles = [await author.create("test-profiles") for _ in range(10)]
    body = {
        "scenarios": [await scenario_of(author, clerk)],
        "freq": 100,
        "personality_ids": people,
        "test_profile_ids": profiles,
    }
    assert list(await author.post(TEXT, body, 400)) == ["scenarios"]
    begun = await author.post(TEXT, {**body, "freq": 2, "concurrency_limit": 1})
    assert len(begun["runs"]) == 2 * 11 * 10
    await author.post(f"results/{begun['id']}/end_calls/", status=200)


async def test_voice_says_which_transport_the_agent_lacks(author: Client) -> None:
    clerk = await agent_at(author)
    body = {"scenarios": [await scenario_of(author, clerk)]}
    assert "voice_transport" in (await author.post(VOICE, body, 400))["agent_id"][0]
    voice = {"voice_transport": "raw_pcm"}
    await author.ask("PATCH", f"aiagents/{clerk}/", voice, status=200)
    assert "voice_url" in (await author.post(VOICE, body, 400))["agent_id"][0]


async def test_a_repeated_request_starts_nothing_new(author: Client) -> None:
    clerk = await agent_at(author)
    body = {"scenarios": [await scenario_of(author, clerk)]}
    key = {"Idempotency-Key": "nightly-1"}
    answers = await asyncio.gather(*(author.post(TEXT, body, 201, **key) for _ in range(5)))
    assert all(answer == answers[0] for answer in answers)
    assert await author.post(TEXT, body, 201, **key) == answers[0]
    assert list(await author.post(TEXT, {**body, "freq": 2}, 409, **key)) == ["detail"]
    assert list(await author.post(VOICE, body, 409, **key)) == ["detail"]
    assert (await author.get("results/"))["count"] == 1
    await author.post(TEXT, body, 201, Idempotency_Key="nightly-2")
    assert (await author.get("results/"))["count"] == 2


async def test_a_repeated_rerun_starts_one_result(author: Client) -> None:
    clerk = await agent_at(author)
    body = {"scenarios": [await scenario_of(author, clerk)]}
    first, other = [(await author.post(TEXT, body))["id"] for _ in range(2)]
    key = {"Idempotency-Key": "again-1"}
    answers = await asyncio.gather(
        *(author.post(f"results/{first}/rerun/", None, 201, **key) for _ in range(5))
    )
    assert all(answer == answers[0] for answer in answers)
    for path, sent in ((f"results/{other}/rerun/", {}), (TEXT, body)):
        assert list(await author.post(path, sent, 409, **key)) == ["detail"]
    assert (await author.get("results/"))["count"] == 3
    await ended(author, first)
    await author.ask("DELETE", f"results/{first}/", status=204)
    assert await author.post(f"results/{first}/rerun/", None, 201, **key) == answers[0]
    wrong = await author.post(f"results/{other}/rerun/", None, 400, Idempotency_Key=" ")
    assert list(wrong) == ["Idempotency-Key"]
