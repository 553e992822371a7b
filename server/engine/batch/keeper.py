"""Has batch jobs done: registers their job, and finds what died, was lost or waits."""

import asyncio

import structlog

from schemas.envelope import Id
from server.engine.batch.lost_secrets import LostSecrets
from server.engine.batch.parts import Parts
from server.engine.batch.runner import BATCH, BatchRunner
from server.errors import Unavailable

log = structlog.get_logger(__name__)
ORPHAN_SECONDS = 2.0


class BatchKeeper:
    """The batch jobs of this process; compare-and-sets make several processes harmless."""

    def __init__(self, parts: Parts, runner: BatchRunner) -> None:
        self._store = parts.store
        self._process = parts.process
        self._jobs = parts.jobs
        self._sealing = parts.sealing
        self._runner = runner
        self.lost_secrets = LostSecrets(parts, runner)
        parts.jobs.handle(BATCH, runner.run)
        parts.jobs.reconcile(self.find)

    @property
    def runs(self) -> int:
        """Return how many runs of batch jobs go on in this process."""
        return self._runner.runs

    async def run(self) -> None:
        """Look for cancelled jobs and for what the dead leave behind, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._runner.watch())
            group.create_task(self._adopt_orphans())
            group.create_task(self.lost_secrets.watch())

    async def close(self, seconds: float) -> None:
        """Give back what this process is at."""
        await self._runner.close(seconds)

    async def find(self) -> list[tuple[str, Id]]:
        """Return the jobs that somebody should be at and nobody is."""
        await self._store.jobs.drop_loose()
        queued = await self._store.jobs.queued(seal=self._sealing.seal)
        return [*await self._orphans(), *((BATCH, key) for key in queued)]

    async def _adopt_orphans(self) -> None:
        while True:
            try:
                if self._process.alive:
                    for kind, key in await self._orphans():
                        await self._jobs.wake(kind, key)
            except Unavailable:
                log.warning("orphaned batch jobs cannot be looked for")
            await asyncio.sleep(ORPHAN_SECONDS)

    async def _orphans(self) -> list[tuple[str, Id]]:
        """Return what died in the middle, also here; what only waits is left to the reconciler.

        Jobs with keys that wait are among them: a process with another secret may have taken them off the
        queue.
        """
        others = await self._process.living() - {self._process.name}
        seal = self._sealing.seal
        dead = await self._store.jobs.orphaned(others, besides=self._runner.running, seal=seal)
        waiting = await self._store.jobs.queued(seal=seal, sealed=True) if seal else []
        return [(BATCH, key) for key in (*dead, *waiting)]
