"""The job of a batch job: claims it, does what is left of it, and ends it or gives it back (core §13)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from schemas.batch import BatchRequest, RunError
from schemas.batch_job import BatchJob
from schemas.envelope import Id, utc_now
from schemas.stored import Pending
from server.engine.batch.ending import KEYS_CLOSED, REQUEST_GONE, Ledger, broken_error
from server.engine.batch.parts import Parts
from server.engine.batch.rooms import batch_room, started
from server.engine.batch.sealing import Keys, Unreadable
from server.engine.batch.shelf import Shelf
from server.engine.batch.tally import Tally
from server.engine.batch.telling import Teller
from server.engine.batch.work import Evaluate, Halt, Work
from server.engine.patience import patiently
from server.errors import GreenroomError, Unavailable
from server.store.packing import unpack

log = structlog.get_logger(__name__)
BATCH = "batch"
LOOK_SECONDS = 0.5
LARGE = 1024 * 1024
MakeEvaluate = Callable[[BatchRequest, Id, Keys], Evaluate]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that this process does; `error` says why it cannot be done at all."""

    job: BatchJob
    request: BatchRequest | None
    outbox: list[Pending]
    lease: int
    error: RunError | None = None


class BatchRunner:
    """Does batch jobs under this process's lease; what is done with a job names the fence of its claim."""

    def __init__(self, parts: Parts, evaluate: MakeEvaluate) -> None:
        self._store = parts.store
        self._hub = parts.hub
        self._outboxes = parts.outboxes
        self._jobs = parts.jobs
        self._process = parts.process
        self._sealing = parts.sealing
        self._make = evaluate
        self._ledger = Ledger(parts.store, parts.outboxes)
        self._works: dict[Id, Work] = {}
        self._claims: dict[Id, int] = {}  # the jobs that this process is at, with the fence it tries to set
        self._closing = False
        self._idle = asyncio.Event()
        parts.bell.on_told("stop_batch", self._told_to_stop)
        parts.process.on_lost(partial(self._stop_all, "lost"))

    @property
    def running(self) -> set[Id]:
        """Return the jobs that this process is at, or about to be."""
        return set(self._claims)

    @property
    def runs(self) -> int:
        """Return how many runs go on in this process."""
        return sum(work.running for work in self._works.values())

    async def run(self, job_id: Id) -> None:
        """Do a job that is queued, or whose process died; does nothing when somebody else is at it."""
        await self._run(job_id, sealed=False)

    async def give_up(self, job_id: Id) -> None:
        """End a job as `run` does it, also one whose keys are sealed with a secret that is lost."""
        await self._run(job_id, sealed=True)

    async def _run(self, job_id: Id, *, sealed: bool) -> None:
        lease = self._process.lease
        if self._closing or job_id in self._claims or not self._process.holds(lease):
            return
        self._claims[job_id] = -1
        try:
            claimed = await patiently(lambda: self._claim(job_id, lease, sealed=sealed), self._holds(lease))
            if claimed is not None:
                await self._carry_out(claimed)
        finally:
            del self._claims[job_id]
            if not self._claims:
                self._idle.set()

    async def close(self, seconds: float) -> None:
        """Begin no more jobs and give back those that run; returns when that is stored, or time is up."""
        self._closing = True
        self._stop_all("interrupted")
        while self._claims:
            self._idle.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._idle.wait()
            except TimeoutError:
                log.warning("batch jobs left to others", jobs=len(self._claims))
                return

    async def watch(self) -> None:
        """Stop jobs that others have cancelled, have taken away or may have, until cancelled."""
        while True:
            for work in self._works.values():
                if not work.holds():
                    work.stop("lost")
            if mine := dict(self._works):
                try:
                    known = await self._store.jobs.fences(mine)
                except Unavailable:
                    log.warning("cancelled batch jobs cannot be looked for")
                else:
                    for job_id, work in mine.items():
                        self._look(work, *known.get(job_id, (-1, False)))
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self, work: Work, fence: int, cancel: bool) -> None:
        if fence != work.fence:
            work.stop("lost")
        elif cancel:
            work.stop("cancelled")

    def _told_to_stop(self, job_id: str) -> None:
        if (work := self._works.get(job_id)) is not None:
            work.stop("cancelled")

    def _stop_all(self, halt: Halt) -> None:
        for work in list(self._works.values()):
            work.stop(halt)

    def _holds(self, lease: int) -> Callable[[], bool]:
        return lambda: self._process.holds(lease)

    # --- claiming -------------------------------------------------------------------------------------------

    async def _claim(self, job_id: Id, lease: int, *, sealed: bool) -> Claimed | None:
        job = await self._store.jobs.get(job_id)
        if job is None or not await self._is_free(job, sealed=sealed):
            return None
        request = await self._request(job)
        if job.state == "running" and job.fence == self._claims[job_id]:
            mine = job  # stored by the last try, whose answer was lost
        else:
            mine = job.model_copy(update=self._fresh(job))
        self._claims[job_id] = mine.fence
        events: list[Pending] = []
        if mine is not job and request is not None and not job.cancel and mine.started_on is not None:
            events.append(started(mine, request, started_on=mine.started_on, results=job.results))
        update = {"$set": mine.model_dump(include={"state", "process", "fence", "started_on"})}
        outbox = await self._ledger.change(job, update=update, outbox=events)
        if outbox is None:
            return None
        return Claimed(mine, request, outbox, lease, error=None if request else REQUEST_GONE)

    def _fresh(self, job: BatchJob) -> dict[str, Any]:
        return {
            "state": "running",
            "process": self._process.name,
            "fence": job.fence + 1,
            "started_on": job.started_on or utc_now(),
        }

    async def _is_free(self, job: BatchJob, *, sealed: bool) -> bool:
        if not sealed and job.sealed_by not in (None, self._sealing.seal) and not job.cancel:
            log.info("a job's keys are sealed with another secret; it is left to others", job_id=job.id)
            return False
        if job.state != "running":
            return job.state == "queued"
        return job.process == self._process.name or job.process not in await self._process.living()

    async def _request(self, job: BatchJob) -> BatchRequest | None:
        packed = await self._store.jobs.request(job.id, digest=job.digest)
        if packed is None:
            return None
        try:
            return await asyncio.to_thread(_read, packed) if len(packed) > LARGE // 8 else _read(packed)
        except ValueError:  # a ValidationError is one too
            log.exception("a batch job's request cannot be read", job_id=job.id)
            return None

    # --- doing ----------------------------------------------------------------------------------------------

    async def _carry_out(self, claimed: Claimed) -> None:
        job, holds = claimed.job, self._holds(claimed.lease)
        await patiently(lambda: self._tell(claimed), holds)
        error = claimed.error
        try:
            if claimed.request is not None:
                keys = Keys() if job.cancel else self._sealing.open(job.keys)
                evaluate = self._make(claimed.request, job.id, keys)
                work = self._works[job.id] = self._work(claimed, claimed.request, evaluate)
                await self._do(claimed, claimed.request, work)
        except Unreadable:
            log.warning("a batch job's keys cannot be opened", job_id=job.id)
            error = KEYS_CLOSED
        except Unavailable:
            raise
        except GreenroomError as wrong:
            error = RunError(code=wrong.code, message=wrong.message)
        except Exception:  # a bug of ours: done again it would break again, and cost the models' price
            log.exception("batch job broke", job_id=job.id)
            error = broken_error()
        finally:
            self._works.pop(job.id, None)
        if error is not None:
            await self._fail(claimed, error)

    async def _tell(self, claimed: Claimed) -> None:
        """Have the start of a job in its room before its results."""
        await asyncio.gather(*self._outboxes.publish("jobs", claimed.job.id, claimed.outbox))

    def _work(self, claimed: Claimed, request: BatchRequest, evaluate: Evaluate | None) -> Work:
        job, holds = claimed.job, self._holds(claimed.lease)
        room = batch_room(job.id)

        def publish(name: str, j: bytes, eid: str) -> "asyncio.Future[int]":
            if self._process.lease == claimed.lease:
                return self._hub.log.publish(room, name, j, eid=eid, leased=True)
            raise Unavailable("This process has lost its lease.")

        async def count(figures: dict[str, int]) -> None:
            try:
                held, cancel = await self._store.jobs.count(job.id, fence=job.fence, figures=figures)
            except Unavailable:
                return  # it may lag
            self._look(work, job.fence if held else -1, cancel)

        work = Work(
            job,
            request,
            evaluate=evaluate,
            shelf=Shelf(self._store.results, job.id, total_runs=job.total_runs),
            teller=Teller(publish, told=job.published, holds=holds),
            tally=Tally(request),
            count=count,
            holds=holds,
        )
        if self._closing:
            work.stop("interrupted")
        elif job.cancel:
            work.stop("cancelled")
        return work

    async def _do(self, claimed: Claimed, request: BatchRequest, work: Work) -> None:
        holds = self._holds(claimed.lease)
        await patiently(work.read_up, holds)
        await work.run()
        if work.halt == "interrupted":
            await patiently(lambda: self._give_back(claimed.job), holds)
        elif work.halt != "lost":
            await work.finish("completed" if work.shelf.is_full else "cancelled")
            await patiently(lambda: self._ledger.end(claimed.job, request, work), holds)

    async def _give_back(self, job: BatchJob) -> None:
        """Let another process go on with a job; raises Unavailable."""
        update = {"$set": {"state": "queued"}, "$inc": {"fence": 1}, "$unset": {"process": 1}}
        if await self._ledger.change(job, update=update) is not None:
            await self._jobs.wake(BATCH, job.id)

    async def _fail(self, claimed: Claimed, error: RunError) -> None:
        """End a job that cannot be gone on with, and sum up what it came to; raises Unavailable."""
        holds = self._holds(claimed.lease)
        if (request := claimed.request) is not None:
            try:
                work = self._work(claimed, request, None)
                await patiently(work.read_up, holds)
                await work.finish("failed")
                await patiently(lambda: self._ledger.end(claimed.job, request, work, error), holds)
                return
            except Unavailable:
                raise
            except Exception:  # a bug of ours; the job has to end all the same
                log.exception("results of a batch job cannot be summed up", job_id=claimed.job.id)
        await patiently(partial(self._ledger.end_bare, claimed.job, error), holds)


def _read(packed: bytes) -> BatchRequest:
    return BatchRequest.model_validate_json(unpack(packed))
