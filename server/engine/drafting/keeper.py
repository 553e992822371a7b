"""Looks after generations whose process died, and those of our own that no task is at any more."""

import asyncio

import structlog

from schemas.generation import Generation
from schemas.stored import Work
from server.engine.drafting.running import Runner
from server.errors import Unavailable
from server.rooms.process import Process
from server.store import Store

log = structlog.get_logger(__name__)
SECONDS = 2.0


class GenerationKeeper:
    """Runs in every process; compare-and-sets make several of them harmless."""

    def __init__(self, *, store: Store, runner: Runner, process: Process) -> None:
        self._store = store
        self._runner = runner
        self._process = process
        self._suspects: set[str] = set()

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            try:
                await self.adopt_orphans()
            except Unavailable:
                log.warning("generations wait for the database")
            await asyncio.sleep(SECONDS)

    async def adopt_orphans(self) -> None:
        """Take over the generations of dead processes; our own must be seen idle twice."""
        if not self._process.alive:
            return
        living = await self._process.living()
        generations = self._store.generations
        dead = await generations.orphans(living)
        # asked for apart and without what runs, so that much work never hides what is abandoned
        own = await generations.orphans(
            living - {self._process.name}, besides=self._runner.making | {g.id for g in dead}
        )
        suspects: set[str] = set()
        for gen in [*dead, *own]:
            for work in gen.work:
                if work.owner in living and (work.owner != self._process.name or self._runner.running(work)):
                    continue
                if work.owner not in living or work.id in self._suspects:
                    await self._take_over(gen, work)
                else:
                    suspects.add(work.id)
        self._suspects = suspects

    async def _take_over(self, gen: Generation, work: Work) -> None:
        """Take one generation over; what is wrong with it does not keep the others waiting."""
        try:
            await self._runner.take_over(gen, work)
        except Unavailable:
            raise
        except Exception:
            log.exception("generation not looked after", run_id=gen.id)
