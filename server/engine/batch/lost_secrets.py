"""Ends jobs whose keys nobody can open any more, because the secret that sealed them was changed or lost."""

import asyncio

import structlog

from schemas.envelope import Id
from server.engine.batch.parts import Parts
from server.engine.batch.runner import BatchRunner
from server.errors import Unavailable

log = structlog.get_logger(__name__)
LOOK_SECONDS = 30.0
QUIET_SECONDS = 120  # without a sign of a secret, jobs that wait for it are told of in the log
LOST_SECONDS = 900  # without a sign, they are given up


class LostSecrets:
    """Shows which secret this process has, and gives up jobs whose secret nobody has shown for 15 minutes.

    Only processes that take jobs give them up: a worker that was started without the servers' secret, while
    all of them are away, would else end what they come back for. Servers with several secrets let each
    other's jobs wait, however long those of the other have no place for them.
    """

    def __init__(self, parts: Parts, runner: BatchRunner) -> None:
        self._jobs = parts.store.jobs
        self._process = parts.process
        self._sealing = parts.sealing
        self._runner = runner
        self._told: set[Id] = set()

    async def watch(self) -> None:
        """Look from time to time, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except Unavailable:
                log.warning("batch jobs of lost secrets cannot be looked for")

    async def look(self) -> None:
        """Show this process's secret, tell of jobs that wait for another, and give up those that are lost."""
        if self._sealing.seal is not None:
            await self._jobs.show_seal(self._sealing.seal)
        if not self._sealing.takes_jobs or not self._process.alive:
            return
        waiting = set(await self._without_secret(QUIET_SECONDS))
        for job_id in sorted(waiting - self._told):
            log.warning("a batch job waits for a process with the secret of its keys", job_id=job_id)
        self._told = waiting
        for job_id in await self._without_secret(LOST_SECONDS):
            log.warning("nobody has the secret of a batch job's keys; it is given up", job_id=job_id)
            await self._runner.give_up(job_id)

    async def _without_secret(self, seconds: int) -> list[Id]:
        """Return jobs that nobody is at, so old, whose secret nobody has shown for so long."""
        living = await self._process.living()
        return await self._jobs.sealed_by_nobody(living, mine=self._sealing.seal, seconds=seconds)
