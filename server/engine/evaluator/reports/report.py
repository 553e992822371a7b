"""Reports of a result: put together in bounded memory from its stored runs, also while they go on."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schemas.envelope import utc_now
from schemas.evaluator_run import EvaluatorResult, EvaluatorRun, RunPlan
from server.engine.access import Identity
from server.engine.evaluator.frozen import Frozen, thawed
from server.engine.evaluator.reading import Reading
from server.engine.evaluator.reports.figures import Figures, Tally
from server.engine.reports.sections import Piece, Sections
from server.engine.spool import Spool
from server.errors import NotFound
from server.store import Store

PAGE = 20  # runs that are read together: a transcript may have 2 MB
AT_ONCE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A run with the names of its scenario, and of the personality and test profile it was played with."""

    run: EvaluatorRun
    scenario: str
    played: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a report says of the whole result."""

    result: EvaluatorResult
    agent: str
    scenarios: Mapping[int, str]
    figures: Figures
    made_at: datetime


class Writer(Protocol):
    """A format. Runs come in the order of their ids; the document is put together when all are known."""

    def sections(self) -> int:
        """Return how many sections there may be."""

    def add(self, line: Line) -> Iterable[tuple[int, str]]:
        """Return what a run adds to which sections."""

    def document(self, summary: Summary, sections: Sections) -> Iterator[Piece]:
        """Yield the report from its beginning to its end."""


class ResultReports:
    """Writes reports of results, one after the other, so that they do not crowd out what is live."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reading = Reading(store)
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def write(self, caller: Identity, result_id: int, make: Callable[[int], Writer]) -> Spool:
        """Return a report of what a result has come to so far; close it when it has been sent.

        `make` is told how many scenarios there are. Raises Forbidden, NotFound.
        """
        result = await self._whole(caller, result_id)
        spool = Spool()
        try:
            async with self._slots:
                frozen = await self._frozen(result)
                await self._write(spool, result=result, frozen=frozen, writer=make(len(frozen.scenarios)))
        except BaseException:
            spool.close()
            raise
        return spool

    async def _whole(self, caller: Identity, result_id: int) -> EvaluatorResult:
        """Return a result with its plans, which tell what its scenarios are played with."""
        await self._reading.there(caller, result_id)
        result = await self._store.evaluator_results.get(result_id)
        if result is None:
            raise NotFound("There is no such result, or it is not yours.")
        return result

    async def _frozen(self, result: EvaluatorResult) -> Frozen:
        packed = await self._store.evaluator_results.setup(result.id, version=result.setup)
        if packed is None:
            raise NotFound("What the result was made of is gone, so there is no report.")
        return await asyncio.to_thread(thawed, packed)

    async def _write(self, spool: Spool, *, result: EvaluatorResult, frozen: Frozen, writer: Writer) -> None:
        names = _Names(frozen, result.plans)
        tally, sections = Tally(), Sections(spool, most=writer.sections())

        def take(runs: list[EvaluatorRun]) -> None:
            for run in runs:
                tally.add(run)
                for section, text in writer.add(names.line(run)):
                    sections.add(section, text)

        last = 0
        while runs := await self._store.evaluator_runs.following(result.id, after=last, limit=PAGE):
            await asyncio.to_thread(take, runs)
            last = runs[-1].id
        summary = Summary(
            result=result,
            agent=frozen.agent.agent_name,
            scenarios=names.scenarios,
            figures=tally.figures(freq=result.freq),
            made_at=utc_now(),
        )
        spool.pieces = await asyncio.to_thread(lambda: list(writer.document(summary, sections)))


class _Names:
    """Knows what runs are called: personality and test profile only where a scenario has several."""

    def __init__(self, frozen: Frozen, plans: Iterable[RunPlan]) -> None:
        self.scenarios = {number: scenario.name for number, scenario in frozen.scenarios.items()}
        self._frozen = frozen
        self._personalities: dict[int, set[int | None]] = {}
        self._profiles: dict[int, set[int | None]] = {}
        for plan in plans:
            self._personalities.setdefault(plan.scenario, set()).add(plan.personality)
            self._profiles.setdefault(plan.scenario, set()).add(plan.test_profile)

    def line(self, run: EvaluatorRun) -> Line:
        plan, played = run.plan, []
        if len(self._personalities.get(plan.scenario, ())) > 1 and plan.personality:
            played.append(self._frozen.personalities[plan.personality].name)
        if len(self._profiles.get(plan.scenario, ())) > 1 and plan.test_profile:
            played.append(self._frozen.profiles[plan.test_profile].name)
        return Line(run=run, scenario=self.scenarios[plan.scenario], played=tuple(played))
