"""Has results done: registers their job, finds what died, was lost or waits, and tells of their ends."""

import asyncio

import structlog

from server.engine.evaluator.ledger import Ledger
from server.engine.evaluator.parts import Parts
from server.engine.evaluator.runner import EVALUATOR, EvaluatorRunner
from server.engine.evaluator.webhooks import Webhooks
from server.errors import Unavailable

log = structlog.get_logger(__name__)
ORPHAN_SECONDS = 2.0


class EvaluatorKeeper:
    """The results of this process; compare-and-sets make several processes harmless."""

    def __init__(self, parts: Parts, runner: EvaluatorRunner, webhooks: Webhooks) -> None:
        self._results = parts.store.evaluator_results
        self._ledger = Ledger(parts.store, parts.outboxes)
        self._process = parts.process
        self._jobs = parts.jobs
        self._runner = runner
        self.webhooks = webhooks
        runner.on_end = webhooks.look
        parts.jobs.handle(EVALUATOR, runner.run)
        parts.jobs.reconcile(self.find)

    @property
    def talking(self) -> int:
        """Return how many conversations go on in this process."""
        return self._runner.talking

    async def run(self) -> None:
        """Look after what goes on, what the dead leave behind and webhooks, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._runner.watch())
            group.create_task(self._adopt_orphans())
            group.create_task(self.webhooks.run())

    async def close(self, seconds: float) -> None:
        """Give back what this process is at."""
        await self._runner.close(seconds)

    async def find(self) -> list[tuple[str, str]]:
        """Return the results that somebody should be at and nobody is."""
        await self._results.drop_loose()
        queued = [(EVALUATOR, str(key)) for key in await self._results.queued()]
        return [*await self._orphans(), *queued]

    async def _adopt_orphans(self) -> None:
        while True:
            try:
                if self._process.alive:
                    for kind, key in await self._orphans():
                        await self._jobs.wake(kind, key)
                    for result_id in await self._results.hidden():  # whoever deleted it did not finish
                        await self._ledger.remove(result_id)
            except Unavailable:
                log.warning("orphaned results cannot be looked for")
            await asyncio.sleep(ORPHAN_SECONDS)

    async def _orphans(self) -> list[tuple[str, str]]:
        """Return what died in the middle, also here; what only waits is left to the reconciler."""
        others = await self._process.living() - {self._process.name}
        dead = await self._results.orphaned(others, besides=self._runner.running)
        return [(EVALUATOR, str(key)) for key in dead]
