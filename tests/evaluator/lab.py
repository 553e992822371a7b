"""Runs of evaluators in tests: agents, scenarios without a model, and what is stored of a result."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from schemas.envelope import JsonObject
from schemas.evaluator_run import EvaluatorResult, EvaluatorRun
from server.engine.access import Identity
from server.engine.evaluator.evaluators import Evaluators
from server.engine.evaluator.resources import Resources
from server.engine.evaluator.rooms import result_room
from server.engine.evaluator.views import figures_of
from server.llm.scripted import ScriptedModel
from server.store import Store
from server.transports import keys
from tests.fold.oracle import check_splits, log_of, shown_by
from tests.support.batches import identity
from tests.support.passing import passes
from tests.support.running import Server, running, settings_for

WITHIN = 30.0
HELLO_BYE = {
    "role": "A caller who says hello and hangs up.",
    "conditions": [
        {"id": 0, "condition": "FIRST_MESSAGE", "action": "Hello", "fixed_message": True},
        {"id": 1, "condition": 'contains "yes"', "action": "Bye <endcall/>", "fixed_message": True},
    ],
}


@dataclass
class Lab:
    """A server, an author, and what they do with evaluators."""

    server: Server
    author: Identity = field(default_factory=identity)

    @property
    def evaluators(self) -> Evaluators:
        """Return the server's evaluators."""
        return self.server.app[keys.EVALUATORS]

    @property
    def resources(self) -> Resources:
        """Return what the server's authors keep."""
        return self.server.app[keys.EVALUATOR_RESOURCES]

    @property
    def store(self) -> Store:
        """Return the server's store."""
        return self.server.app[keys.STORE]

    async def agent(self, url: str, **changes: Any) -> int:
        """Keep an agent that is greeted."""
        body = {"agent_name": "Clerk", "websocket_url": url, "agent_gives_first_message": False, **changes}
        return await self._kept("aiagents", body)

    async def scenario(self, agent: int, **changes: Any) -> int:
        """Keep a scenario whose caller says hello and hangs up once the agent says yes; it needs no model."""
        body = {
            "name": "hello and bye",
            "agent": agent,
            "scenario_type": "conditional_actions",
            "conditional_actions": HELLO_BYE,
            **changes,
        }
        return await self._kept("scenarios", body)

    async def start(self, *scenarios: int, **changes: Any) -> int:
        """Start a result and return its id."""
        body = {"scenarios": list(scenarios), **changes}
        answer = await self.evaluators.start(self.author, body, as_text=True)
        return int(answer["id"])

    async def stored(self, result_id: int) -> EvaluatorResult:
        """Return a result as it is stored."""
        result = await self.store.evaluator_results.get(result_id)
        assert result is not None
        return result

    async def runs(self, result_id: int) -> list[EvaluatorRun]:
        """Return the runs of a result as they are stored."""
        return await self.store.evaluator_runs.of_result(result_id, whole=True)

    async def until(
        self, result_id: int, ready: Callable[[list[EvaluatorRun]], bool], *, within: float = WITHIN
    ) -> list[EvaluatorRun]:
        """Return the runs of a result once they are ready."""
        async with asyncio.timeout(within):
            while not ready(runs := await self.runs(result_id)):
                await self.store.ping()
            return runs

    async def ended(self, result_id: int, *, ends: int = 1, within: float = WITHIN) -> JsonObject:
        """Return a result once it has ended, and check all that is stored of it."""
        async with asyncio.timeout(within):
            while (stored := await self.stored(result_id)).ends < ends:
                await passes(0.02, because="another process may play it")
        assert stored.state == "ended"
        await check_result(self.store, result_id)
        return await self.evaluators.result(self.author, result_id)

    async def _kept(self, kind: Any, body: JsonObject) -> int:
        return int((await self.resources.create(self.author, kind, body))["id"])


async def check_result(store: Store, result_id: int) -> None:
    """Check an ended result: each run ended once, the same in its room and its figures."""
    result = await store.evaluator_results.get(result_id)
    assert result is not None
    runs = await store.evaluator_runs.of_result(result_id, whole=True)
    assert {run.state for run in runs} == {"ended"}
    room = result_room(result_id)
    async with asyncio.timeout(60):
        while not (log := await log_of(store, room)) or log[-1].name != "result_ended":
            await store.ping()
    told = [orjson.loads(row.j) for row in log if row.name == "run_ended"]
    wanted = [(run.id, n) for run in runs for n in range(1, run.judged + 1)]
    if result.ends == 1:
        assert sorted((t["run_id"], t["judged"]) for t in told) == sorted(wanted)
    assert [row.name for row in log].count("result_ended") == result.ends
    for run in runs:
        check_turns(run, [orjson.loads(row.j) for row in log if row.name == "run_turn"])
    shown = shown_by(room, log)
    figures = figures_of((await store.evaluator_runs.facts([result_id]))[result_id])
    assert shown["status"] == result.status
    assert (shown["ended_runs"], shown["completed_runs"]) == (figures.ended, figures.completed)
    assert (shown["success_runs"], shown["failed_runs"]) == (figures.success, figures.failed)
    assert shown["simulator_errors"] == figures.simulator_errors
    assert (shown["running"], shown["running_runs"]) == ([], 0)
    assert shown["success_rate"] == figures.success_rate
    check_splits(room, log)


def check_turns(run: EvaluatorRun, turns: list[JsonObject]) -> None:
    """Check that a run's last attempt was told item by item as it is stored."""
    mine = [t for t in turns if t["run_id"] == run.id and t["attempt"] == run.attempt]
    items = run.talked.transcript if run.talked else []
    assert [t["index"] for t in mine] == list(range(len(items))), (run.id, run.attempt, run.fence, mine)
    assert [(t["role"], t["content"]) for t in mine] == [(item.role, item.content) for item in items]


OpenLab = Callable[..., AbstractAsyncContextManager[Lab]]


@asynccontextmanager
async def lab_on(mongod_url: str, model: tuple[ScriptedModel, str], **changes: Any) -> AsyncIterator[Lab]:
    """Run a server with some settings that may call agents of this machine."""
    settings = settings_for(mongod_url, model[1]).model_copy(update={"private_urls": True, **changes})
    async with running(settings) as (url, app):
        yield Lab(Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1")))
