"""Makes tests from benchmarks; what a test needs is copied into it."""

from collections.abc import Mapping, Sequence

from schemas.content import Agent, Benchmark, ContentKind, RecordedRun, Rubric
from schemas.envelope import Id, utc_now
from schemas.stored import Owner, Pending
from schemas.test import Invocation, Recording, Run, Test, TestedBenchmark, TestStart, TestStarted
from server.engine.access import Identity
from server.engine.ids import derive
from server.engine.pending import pending
from server.engine.replay.access import refusal
from server.engine.replay.counting import run_key
from server.engine.replay.rooms import test_room
from server.engine.watching.ops import ops_event
from server.errors import Conflict, NotFound
from server.store import Store


class TestMaker:
    """Reads a benchmark with its agents and rubrics and stores a test of it; the test itself comes last."""

    __test__ = False

    def __init__(self, store: Store, model: str) -> None:
        self._store = store
        self._model = model  # that of agents that name none; a test tells which it was

    async def make(
        self, caller: Identity, msg: TestStart, *, test_id: Id
    ) -> tuple[Test, list[Invocation], list[Pending]]:
        """Store all parts of a test but itself; return it with its invocations and its first events."""
        benchmark = await self._benchmark(caller, msg.benchmark_id)
        agents = await self._agents(benchmark, caller.org)
        await self._store.recordings.make(await self._recordings(test_id, benchmark, caller.org))
        invocations = [
            _invocation(caller, msg, test_id, benchmark=benchmark, agent=agent, position=position)
            for position, agent in enumerate(agents, start=1)
        ]
        test = Test(
            id=test_id,
            owner=Owner(kind=caller.kind, id=caller.id),
            org=caller.org,
            benchmark=TestedBenchmark.model_validate(benchmark.model_dump(exclude={"runs"})),
            infinite_mode=msg.infinite_mode,
            invocation_ids=[i.id for i in invocations],
            created_at=utc_now(),
        )
        for invocation in invocations:
            await self._store.runs.make([_run(invocation, run, n) for n, run in enumerate(benchmark.runs, 1)])
            await self._store.invocations.create(invocation, [])
        return test, invocations, _begun(caller, test)

    async def _benchmark(self, caller: Identity, benchmark_id: Id) -> Benchmark:
        found = await self._store.content.body("benchmark", benchmark_id, org=caller.org)
        error = refusal(caller, "benchmark", org=caller.org if found else None)
        if error is not None or not isinstance(found, Benchmark):
            raise error or NotFound()
        return found

    async def _agents(self, benchmark: Benchmark, org: str) -> list[Agent]:
        stored = await self._store.content.many("agent", benchmark.agent_ids, org=org)
        _check_all("agent", benchmark.agent_ids, stored)
        agents = [Agent.model_validate(stored[key].body) for key in dict.fromkeys(benchmark.agent_ids)]
        return [a if a.model else a.model_copy(update={"model": self._model}) for a in agents]

    async def _recordings(self, test_id: Id, benchmark: Benchmark, org: str) -> list[Recording]:
        wanted = list({r for r in (benchmark.rubric_id, *(run.rubric_id for run in benchmark.runs)) if r})
        stored = await self._store.content.many("rubric", wanted, org=org)
        _check_all("rubric", wanted, stored)
        rubrics = {key: Rubric.model_validate(found.body) for key, found in stored.items()}
        return [
            Recording(
                id=derive(test_id, run.id),
                test_id=test_id,
                original_id=run.id,
                run=run,
                rubric=rubrics.get(run.rubric_id or benchmark.rubric_id or ""),
            )
            for run in benchmark.runs
        ]


def _check_all(kind: ContentKind, wanted: Sequence[Id], found: Mapping[str, object]) -> None:
    if missing := [key for key in wanted if key not in found]:
        raise Conflict(f"The benchmark names a {kind} that does not exist any more: {', '.join(missing)}.")


def _invocation(
    caller: Identity, msg: TestStart, test_id: Id, *, benchmark: Benchmark, agent: Agent, position: int
) -> Invocation:
    return Invocation(
        id=derive(test_id, "invocation", agent.id),
        test_id=test_id,
        owner=Owner(kind=caller.kind, id=caller.id),
        org=caller.org,
        agent=agent,
        mode=benchmark.mode,
        concurrency=benchmark.concurrency,
        total_runs=len(benchmark.runs),
        position=position,
        infinite_mode=msg.infinite_mode,
        created_at=utc_now(),
    )


def _run(invocation: Invocation, run: RecordedRun, position: int) -> Run:
    return Run(
        id=run_key(invocation.id, invocation.cycle, run.id),
        test_id=invocation.test_id,
        invocation_id=invocation.id,
        org=invocation.org,
        owner_profile=invocation.owner,
        original_id=run.id,
        name=run.name,
        position=position,
        created_at=invocation.created_at,
    )


def _begun(caller: Identity, test: Test) -> list[Pending]:
    started = pending(caller.key, TestStarted(test_id=test.id), f"{test.id}:started")
    return [started, *(_told(test, invocation_id) for invocation_id in test.invocation_ids)]


def _told(test: Test, invocation_id: Id) -> Pending:
    room = test_room(invocation_id)
    return ops_event("test", key=test.id, room=room, phase="started", owner=test.owner, org=test.org)
