"""Has the work of tests done: registers its jobs, and finds what died, was lost or is not finished."""

import asyncio

import structlog

from schemas.envelope import Id
from server.engine.replay.judging import Judging
from server.engine.replay.ledger import Ledger
from server.engine.replay.queue import GRADE, INVOCATION, RUN, TEST
from server.engine.replay.runner import TestRunner
from server.engine.replay.tests import Tests
from server.errors import Unavailable
from server.jobs import Jobs
from server.rooms.process import Process
from server.store import Store

log = structlog.get_logger(__name__)
ORPHAN_SECONDS = 2.0


class TestKeeper:
    """The jobs of tests in this process; compare-and-sets make several processes harmless."""

    __test__ = False

    def __init__(
        self,
        *,
        store: Store,
        process: Process,
        jobs: Jobs,
        runner: TestRunner,
        judging: Judging,
        ledger: Ledger,
        tests: Tests,
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._process = process
        self._runner = runner
        self._judging = judging
        self._tests = tests
        jobs.handle(RUN, runner.run)
        jobs.handle(GRADE, judging.run)
        jobs.handle(INVOCATION, ledger.settle)
        jobs.handle(TEST, self._finish)
        jobs.reconcile(self.find)

    async def run(self) -> None:
        """Look for stops and for what the dead leave behind, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._runner.watch())
            group.create_task(self._adopt_orphans())

    async def close(self, seconds: float) -> None:
        """Give back what this process is at."""
        await self._runner.close(seconds)

    async def find(self) -> list[tuple[str, Id]]:
        """Return the jobs that somebody should be at and nobody is."""
        found = await self._orphans()
        found += [(RUN, key) for key in await self._store.runs.queued()]
        found += [(GRADE, key) for key in await self._store.runs.ungraded()]
        found += [(INVOCATION, key) for key in await self._store.invocations.unsettled()]
        return found + [(TEST, key) for key in await self._store.tests.ending()]

    async def _adopt_orphans(self) -> None:
        while True:
            try:
                if self._process.alive:
                    for kind, key in await self._orphans():
                        await self._jobs.wake(kind, key)
            except Unavailable:
                log.warning("orphaned replays cannot be looked for")
            await asyncio.sleep(ORPHAN_SECONDS)

    async def _orphans(self) -> list[tuple[str, Id]]:
        """Return what died in the middle, also here; what only waits is left to the reconciler."""
        others = await self._process.living() - {self._process.name}
        runs = self._store.runs
        replays = await runs.orphaned(others, besides=self._runner.running)
        gradings = await runs.orphaned_gradings(others, besides=self._judging.running)
        found = [(RUN, key) for key in replays] + [(GRADE, key) for key in gradings]
        return found + [(INVOCATION, key) for key in await runs.uncounted()]

    async def _finish(self, test_id: Id) -> None:
        await self._tests.finish(test_id)
