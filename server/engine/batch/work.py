"""The runs of one job in this process: so many at once, their results stored as they come."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal, Protocol

from schemas.batch import BatchRequest, BatchResult, JobStatus
from schemas.batch_job import BatchJob
from server.engine.batch.breath import Breath
from server.engine.batch.shelf import Finished, Shelf
from server.engine.batch.tally import Tally
from server.engine.batch.telling import Teller
from server.engine.patience import patiently

Halt = Literal["cancelled", "interrupted", "lost"]
Count = Callable[[dict[str, int]], Awaitable[None]]
AHEAD = 4  # a quarter more runs are begun than calls may be under way, so that a call waits for each place
MAX_READY = 500  # results that wait to be stored; runs begin no more until they are
_COUNTERS = {"Passed": "passed", "Failed": "failed", "Error": "errors"}


class Evaluate(Protocol):
    """Does one run of a job."""

    async def run(self, number: int) -> BatchResult:
        """Return what a run came to, whatever went wrong; raises Unavailable of the database only."""


class Work:
    """Does what is left of a job; `halt` says why it stopped before the end.

    Results pass through `shelf`, `tally` and `teller` in the order of their indexes, also those that others
    have stored. `count` notes how far the job is, and may stop it. Without `evaluate` it can only read up and
    finish.
    """

    def __init__(
        self,
        job: BatchJob,
        request: BatchRequest,
        *,
        evaluate: Evaluate | None,
        shelf: Shelf,
        teller: Teller,
        tally: Tally,
        count: Count,
        holds: Callable[[], bool],
    ) -> None:
        self.fence = job.fence
        self.halt: Halt | None = None
        self.counters = {"results": 0, "passed": 0, "failed": 0, "errors": 0}
        self.running = 0
        self._job = job
        self._request = request
        self._evaluate = evaluate
        self.shelf = shelf
        self.teller = teller
        self.tally = tally
        self._count = count
        self.holds = holds
        self._next = 0
        self._breath = Breath()
        self._ready: list[Finished] = []
        self._some = asyncio.Event()
        self._space = asyncio.Event()
        self._space.set()
        self._over = False
        self._workers: list[asyncio.Task[None]] = []

    def stop(self, halt: Halt) -> None:
        """Begin no more runs and abandon those that run; the first reason counts."""
        if self.halt is None:
            self.halt = halt
            for worker in self._workers:
                worker.cancel()

    async def read_up(self) -> None:
        """Take what is stored of the job already; raises Unavailable."""
        while found := await self.shelf.read():
            await self._took(found)

    async def run(self) -> None:
        """Do the runs that are left, and store their results; raises Unavailable once the lease is lost."""
        if self.halt is not None:
            return
        concurrency = self._request.config.concurrency
        workers = min(concurrency + concurrency // AHEAD, self._job.total_runs)
        self._workers = [asyncio.create_task(self._work()) for _ in range(workers)]
        working = asyncio.gather(*self._workers, return_exceptions=True)
        storing = asyncio.create_task(self._store_all())
        try:
            await asyncio.wait((working, storing), return_when=asyncio.FIRST_COMPLETED)
            self._over = True
            self._some.set()
            await storing
        finally:
            storing.cancel()
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(storing, working, return_exceptions=True)
        self._check(working.result())

    async def finish(self, status: JobStatus) -> None:
        """Let no more results be stored, and return when all of them are in the room; raises Unavailable."""
        while self.shelf.end is None:
            await self._took(await patiently(lambda: self.shelf.finish(status), self.holds))
        await self.teller.finish()

    # --- running --------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        await self._breath.take()
        while (number := self._take()) is not None:
            self.running += 1
            try:
                result = await self._evaluated(number)
            finally:
                self.running -= 1
            self._ready.append(Finished(number, result))
            self._some.set()
            if len(self._ready) >= MAX_READY:
                self._space.clear()
            await self._space.wait()

    def _take(self) -> int | None:
        number = self.shelf.done.find(0, self._next)
        if number < 0 or self.shelf.end is not None:
            return None
        self._next = number + 1
        return number

    async def _evaluated(self, number: int) -> BatchResult:
        evaluate = self._evaluate
        assert evaluate is not None, "work without it is not run"
        return await patiently(lambda: evaluate.run(number), self.holds)

    def _check(self, ended: list[BaseException | None]) -> None:
        """Raise what a worker raised, unless it was stopped."""
        for error in ended:
            if error is not None and not isinstance(error, asyncio.CancelledError):
                raise error

    # --- storing --------------------------------------------------------------------------------------------

    async def _store_all(self) -> None:
        while not self._over or self._ready:
            await self._some.wait()
            self._some.clear()
            while self._ready and self.halt != "lost":
                finished, self._ready = self._ready, []
                self._space.set()
                await self._store(finished)
            if self.halt == "lost":
                return

    async def _store(self, finished: list[Finished]) -> None:
        while left := self.shelf.left(finished):
            await self._took(await patiently(partial(self.shelf.store, left), self.holds))

    async def _took(self, results: list[BatchResult]) -> None:
        for result in results:
            self.tally.add(result)
            self.counters["results"] += 1
            self.counters[_COUNTERS[result.verdict]] += 1
        await self.teller.tell(results)
        if results:
            await self._count({**self.counters, "published": self.teller.told})
