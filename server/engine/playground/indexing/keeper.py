"""Has pipelines indexed: registers their job, finds what died or waits, and removes what is loose."""

import asyncio

import structlog

from schemas.envelope import Id
from server.engine.playground.indexing.indexer import Indexer
from server.engine.playground.indexing.parts import INDEX, Parts
from server.engine.playground.leftovers import Leftovers
from server.errors import Unavailable
from server.store.indexing import LOOK

log = structlog.get_logger(__name__)
ORPHAN_SECONDS = 2.0
SWEEP_SECONDS = 5.0


class IndexKeeper:
    """The indexing of this process; claims make several processes harmless."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._process = parts.process
        self._jobs = parts.jobs
        self._embedder = parts.embedder
        self._indexer = Indexer(parts)
        self._leftovers = Leftovers(parts.store)
        self._begun = False
        parts.jobs.handle(INDEX, self._indexer.run)
        parts.jobs.reconcile(self.find)

    @property
    def running(self) -> int:
        """Return how many pipelines this process indexes."""
        return len(self._indexer.claims.running)

    async def run(self) -> None:
        """Look after what the dead leave behind and what chunks are loose, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._adopt_orphans())
            group.create_task(self._sweep())

    async def close(self, seconds: float) -> None:
        """Give back what this process is at."""
        await self._indexer.claims.close(seconds)

    async def find(self) -> list[tuple[str, Id]]:
        """Return the pipelines that somebody should be at and nobody is.

        At the start also those that another embedding model was used for, some at a time until none is left:
        they are indexed anew.
        """
        indexing = self._store.indexing
        found = {*await self._orphans(), *await indexing.queued(), *await indexing.recut()}
        if not self._begun:
            others = await indexing.embedded_by_others(self._embedder.name)
            found |= set(others)
            self._begun = len(others) < LOOK
        return [(INDEX, key) for key in sorted(found)]

    async def _adopt_orphans(self) -> None:
        while True:
            try:
                if self._process.alive:
                    for key in await self._orphans():
                        await self._jobs.wake(INDEX, key)
            except Unavailable:
                log.warning("orphaned indexing cannot be looked for")
            await asyncio.sleep(ORPHAN_SECONDS)

    async def _orphans(self) -> list[Id]:
        """Return what died in the middle, also here; what only waits is left to the reconciler."""
        others = await self._process.living() - {self._process.name}
        return await self._store.indexing.orphaned(others, besides=self._indexer.claims.running)

    async def _sweep(self) -> None:
        while True:
            try:
                while self._process.alive and await self._store.chunks.sweep():
                    await asyncio.sleep(0)
                if self._process.alive:
                    await self._leftovers.sweep()
            except Unavailable:
                log.warning("loose chunks cannot be removed now")
            await asyncio.sleep(SWEEP_SECONDS)
