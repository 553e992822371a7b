"""Agents that rest on a pipeline: their replays tell what each turn rests on, or fail."""

import json
from typing import Any

import pytest_asyncio

from schemas.envelope import Id
from server.engine.ids import new
from server.engine.packs import content_id
from server.transports import keys
from tests.fold.trial_oracle import check_trial
from tests.support.attempts import Client
from tests.support.clients import Socket
from tests.support.grounded import BENCHMARK, load_grounded, named
from tests.support.rest import Rest, people_of
from tests.support.running import Server
from tests.support.trials import LOOKUP, Data, Trial


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def loaded(server: Server) -> None:
    """Load the agent and its pipeline."""
    await load_grounded(server)


class Counter(Trial):
    """A test of the grounded benchmark."""

    def original(self, name: str) -> str:
        """Return the id of a recorded run."""
        return content_id("grounded", "benchmark", f"counter/runs/{name}")


async def begin(client: Client, benchmark: Id = BENCHMARK) -> Counter:
    ack = await client.send("test_start", benchmark_id=benchmark)
    return Counter(client, "counter", ack["test_id"], ack["invocations"])


def sources(trial: Trial, run_id: str) -> list[list[Data]]:
    """Return what a replay told of sources, turn by turn."""
    return [json.loads(message) for kind, message in trial.steps(run_id) if kind == "sources"]


async def test_each_turn_rests_on_what_was_asked(server: Server, runner: Client) -> None:
    await server.script(
        {"match": {"last_contains": "refunds"}, "reply": "In two weeks [1]."}, {"reply": "At nine [1]."}
    )
    trial = await begin(runner)
    run_id = await trial.run("hours")
    assert [kind for kind, _ in trial.steps(run_id)] == [
        "test_run_start",
        *("user_turn", "sources", "assistant_turn"),
        *("user_turn", "sources", "assistant_turn"),
        "test_run_complete",
    ]
    first, second = sources(trial, run_id)
    assert (first[0]["document_id"], second[0]["document_id"]) == ("hours", "refunds")
    one, two = [r["messages"] for r in await server.asked()]
    assert one[0]["content"].startswith("You are a shopkeeper.")
    assert "The shop opens at nine" in one[0]["content"]
    assert "within fourteen days" in two[0]["content"]
    assert [m["role"] for m in two] == ["system", "user", "assistant", "user"]
    result = (await trial.stored(server.app[keys.STORE], "hours")).result
    assert result is not None
    assert result.messages[0].content == "You are a shopkeeper."
    kept = [[s.document_id for s in m.sources or []] for m in result.messages]
    assert kept[2][0] == "hours"
    assert kept[4][0] == "refunds"
    assert kept[0] == kept[1] == []
    await check_trial(server.app[keys.STORE], trial.invocation_id)


async def test_sources_of_a_replay_are_read_back(server: Server, author: Socket) -> None:
    await server.script({"reply": "At nine."})
    trial = await begin(author)
    run_id = await trial.run("hours")
    async with people_of(server) as people:
        run = await people.a("author").get(f"runs/{run_id}")
    answers = [m for m in run["messages"] if m["role"] == "assistant"]
    assert [named(a["sources"])[0] for a in answers] == ["Opening hours", "Refunds"]


async def test_tools_are_called_in_a_turn_that_was_looked_up_once(server: Server, author: Socket) -> None:
    await server.script(LOOKUP, {"reply": "Thirty kilograms."})
    trial = await begin(author)
    run_id = await trial.run("order")
    kinds = [kind for kind, _ in trial.steps(run_id)][1:-1]
    assert kinds == ["user_turn", "sources", "assistant_turn", "tool_call", "assistant_turn"]
    assert all("thirty kilograms" in r["messages"][0]["content"] for r in await server.asked())


async def own_benchmark(author: Rest) -> tuple[Id, Id]:
    """Return a pipeline of the author's, and a benchmark of an agent on it."""
    pipeline: Id = (await author.post("pipelines", {"name": f"Papers {new()}"}))["id"]
    agent = await author.post("agents", {"name": "Own", "pipeline_id": pipeline})
    messages: list[dict[str, Any]] = [{"role": "user", "content": "When are refunds paid?"}]
    body = {"name": "Own", "agent_ids": [agent["id"]], "runs": [{"name": "only", "messages": messages}]}
    made = await author.post("benchmarks", body)
    return pipeline, made["id"]


async def test_a_replay_without_its_pipeline_fails(server: Server, author: Socket) -> None:
    async with people_of(server) as people:
        person = people.a("author")
        pipeline, benchmark = await own_benchmark(person)
        trial = await begin(author, benchmark)
        (run,) = (await person.get(f"runs?test_id={trial.test_id}"))["items"]
        await person.delete(f"pipelines/{pipeline}?force=true")
        ack = await author.send("test_run", **trial.ids, run_id=run["original_id"])
        error = await author.until("test_error", run_id=ack["run_id"])
        assert (error["error_type"], error["code"]) == ("run", "not_found")
        assert "pipeline" in error["message"]
        assert await server.asked() == []


async def test_an_agent_on_an_empty_pipeline_is_told_so(server: Server, author: Socket) -> None:
    async with people_of(server) as people:
        person = people.a("author")
        _, benchmark = await own_benchmark(person)
        trial = await begin(author, benchmark)
        (run,) = (await person.get(f"runs?test_id={trial.test_id}"))["items"]
    ack = await author.send("test_run", **trial.ids, run_id=run["original_id"])
    await author.until("test_run_complete", run_id=ack["run_id"])
    assert sources(trial, ack["run_id"]) == [[]]
    assert "Nothing was found" in (await server.asked())[-1]["messages"][0]["content"]
