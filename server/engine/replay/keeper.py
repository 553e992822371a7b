"""Has the work of tests done: registers its jobs, and finds what died, was lost or is not finished."""

from schemas.envelope import Id
from server.engine.replay.judging import Judging
from server.engine.replay.ledger import Ledger
from server.engine.replay.queue import GRADE, INVOCATION, RUN, TEST
from server.engine.replay.runner import TestRunner
from server.engine.replay.tests import Tests
from server.jobs import Jobs
from server.rooms.process import Process
from server.store import Store


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
        """Look for stops until cancelled."""
        await self._runner.watch()

    async def close(self, seconds: float) -> None:
        """Give back what this process is at."""
        await self._runner.close(seconds)

    async def find(self) -> list[tuple[str, Id]]:
        """Return the jobs that somebody should be at and nobody is."""
        others = await self._process.living() - {self._process.name}
        runs, invocations = self._store.runs, self._store.invocations
        found = [(RUN, key) for key in await runs.unfinished(others, besides=self._runner.running)]
        found += [(GRADE, key) for key in await runs.ungraded(others, besides=self._judging.running)]
        unsettled = [*await runs.uncounted(), *await invocations.unsettled()]
        found += [(INVOCATION, key) for key in dict.fromkeys(unsettled)]
        return found + [(TEST, key) for key in await self._store.tests.ending()]

    async def _finish(self, test_id: Id) -> None:
        await self._tests.finish(test_id)
