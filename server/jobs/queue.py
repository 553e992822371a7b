"""Durable jobs: work that outlives a request, done by whichever process has a free slot.

The database is the ledger: a job reads there what is to do, claims it, and stores the result. What is queued
here may be lost, delivered again, or delivered twice; the reconciler finds what was lost.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import structlog
from docket import Docket, ExecutionState, Worker
from docket.execution import Disposition
from redis.exceptions import RedisError

from server import tracing
from server.errors import Unavailable
from server.jobs.slots import Run, Slots, job_name

log = structlog.get_logger(__name__)
Find = Callable[[], Awaitable[list[tuple[str, str]]]]

RECONCILE_SECONDS = 30.0
# Leases are renewed four times in it, so a dead worker's job comes back after three quarters of it at the
# earliest. By then, 10 s, the dead process must count as dead, or the job would be let be.
REDELIVERY_SECONDS = 14.0
WATCH_SECONDS = 1.0
ANSWER_SECONDS = 2.0
STOP_SECONDS = 5.0
# New jobs end the waiting read, so that it may be long; it is short when all slots were taken a moment ago,
# because then it is a pause between looks for a free one.
IDLE_POLL = timedelta(seconds=0.25)
BUSY_POLL = timedelta(seconds=0.02)
_NEVER = timedelta(hours=1)  # of what docket does in intervals and nobody needs here
# Docket numbers the deliveries of a job, and forgets the number with the job. Where a job is delivered twice
# while it runs, the number has to outlast the first: its end would take a third delivery for its own.
_REMEMBERED = timedelta(days=1)
_MEMORY = "memory://"
_TASK = "job"


class Jobs:
    """Runs jobs of several kinds, `slots` at a time in this process; 0 leaves them to other processes.

    `url` is that of Redis or Valkey, None for a queue in this process. Processes with the same `name` share
    their jobs.
    """

    def __init__(
        self,
        *,
        url: str | None,
        name: str,
        slots: int,
        reconcile_seconds: float = RECONCILE_SECONDS,
        redelivery_seconds: float = REDELIVERY_SECONDS,
    ) -> None:
        self._slots = Slots(slots, on_full=lambda: self._pace(busy=True))
        self._every = reconcile_seconds
        self._redelivery = timedelta(seconds=redelivery_seconds)
        self._finds: list[Find] = []
        self._serving: asyncio.Task[None] | None = None
        self._draining = False
        self._open = False
        self._busy = False  # all slots were taken since the last look
        self._away = False
        self._server: str | None = None  # which start of Redis this is; each starts empty
        self._lost = asyncio.Event()
        self._worker: Worker | None = None
        self._released: asyncio.Future[None] | None = None
        self._remote = url is not None
        self._docket = Docket(
            name=f"{name}-jobs",
            url=url or _MEMORY,
            heartbeat_interval=_NEVER,
            execution_ttl=_REMEMBERED,
        )
        self._docket.register(self._work, names=[_TASK])

    @property
    def running(self) -> int:
        """Return how many jobs run in this process."""
        return self._slots.running

    def handle(self, kind: str, run: Run) -> None:
        """Have jobs of a kind done by `run`, which gets the key. Call it before run().

        `run` may be cancelled, may be called again for a key that is done, and in several processes at once.
        What it raises is logged; the job is not tried again until somebody wakes it.
        """
        self._slots.handle(kind, run)

    def reconcile(self, find: Find) -> None:
        """Have what `find` returns woken at the start, every 30 s, and when the queue was lost."""
        self._finds.append(find)

    async def wake(self, kind: str, key: str) -> None:
        """Have a job done soon, once for all wakes that come while it waits; never raises.

        A job that runs is done once more, after that here, or at once by another process. When Redis is away
        the job is done here, or, without slots, left for the reconcilers of others.
        """
        if not self._open or (not self._draining and self._slots.again(kind, key)):
            return
        if not await self._queue(kind, key) and self._slots.count and not self._draining:
            self._slots.begin(kind, key)

    async def run(self) -> None:
        """Do jobs until cancelled, also while Redis is away; cancels the jobs that run then."""
        async with self._docket:
            self._open = True
            try:
                async with asyncio.TaskGroup() as parts:
                    parts.create_task(self._reconcile(), name="jobs-reconcile")
                    self._serving = parts.create_task(self._serve(), name="jobs-serve")
            finally:
                self._draining = True
                await self._slots.close(STOP_SECONDS)
                self._open = False

    async def drain(self) -> None:
        """Take no more jobs; those that run go on, and when they are woken others do them."""
        self._draining = True
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait([self._serving])

    def _pace(self, *, busy: bool) -> None:
        self._busy = busy
        if self._worker is not None:
            self._worker.minimum_check_interval = BUSY_POLL if busy else IDLE_POLL

    # --- the queue -------------------------------------------------------------------------------------

    async def _queue(self, kind: str, key: str) -> bool:
        """Put a job into the queue unless it waits there; False when that cannot be reached.

        The queue takes no job that runs as a new one. But it may have read what is to be done before that
        changed, here (when this process drains) or elsewhere, so it is queued beside the one that runs.
        """
        if self._away:
            return False
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                name = job_name(kind, key)
                trace = tracing.traceparent()
                added = await self._docket.add(_TASK, key=name)(kind, key, trace)
                if added.disposition is Disposition.ALREADY_SCHEDULED and not await self._waits(name):
                    await self._docket.replace(_TASK, datetime.now(UTC), name)(kind, key, trace)
        except (RedisError, OSError, TimeoutError):
            return False
        await asyncio.sleep(0)  # a queue in this process answers at once, so that many wakes would block it
        return True

    async def _waits(self, name: str) -> bool:
        """Tell whether a job is in the queue and nobody has begun it."""
        found = await self._docket.get_execution(name)
        return found is not None and found.state is ExecutionState.QUEUED

    async def _work(self, kind: str, key: str, trace: str | None = None) -> None:
        """Do a job from the queue; it is taken off when this returns, and comes back when this is cancelled.

        The job is a task of its own, which goes on when Redis goes. One that has begun here already is done
        once more after that, because it may have been woken since. `trace` is that of who woke it; jobs that
        were queued before there were any have none.
        """
        if self._slots.again(kind, key):
            return
        released = self._released
        job = self._slots.begin(kind, key, trace=trace)
        if job is None or released is None:
            return
        await asyncio.wait([job, released], return_when=asyncio.FIRST_COMPLETED)
        if not job.done() or job.cancelled():
            raise asyncio.CancelledError

    async def _serve(self) -> None:
        """Take jobs from the queue whenever it can be reached."""
        while True:
            server = await self._answer()
            self._note(server)
            if server is None:
                await asyncio.sleep(WATCH_SECONDS)
                continue
            async with self._working() as work:
                await self._watch(work)

    async def _watch(self, work: "asyncio.Future[None]") -> None:
        """Return when the queue is away, or working on it has ended."""
        while not (await asyncio.wait([work], timeout=WATCH_SECONDS))[0]:
            server = await self._answer()
            self._note(server)
            if server is None:
                return
            self._pace(busy=self._busy)
            self._busy = self._slots.full
        log.error(
            "the queue of jobs broke; it is opened again", exc_info=not work.cancelled() and work.exception()
        )
        await asyncio.sleep(WATCH_SECONDS)

    @asynccontextmanager
    async def _working(self) -> "AsyncIterator[asyncio.Future[None]]":
        """Work on the queue; at the end jobs that run go on, and stay in the queue."""
        if self._slots.count == 0:
            yield asyncio.get_running_loop().create_future()
            return
        released = self._released = asyncio.get_running_loop().create_future()
        async with self._make_worker() as worker:
            self._worker = worker
            task = asyncio.create_task(worker.run_forever(), name="jobs-worker")
            try:
                yield task
            finally:
                self._worker = None
                task.cancel()
                released.set_result(None)
                await asyncio.wait([task], timeout=ANSWER_SECONDS)
                task.cancel()  # it may be waiting for an answer of Redis without a limit
                await asyncio.wait([task])

    def _make_worker(self) -> Worker:
        return Worker(
            self._docket,
            name=secrets.token_hex(8),
            concurrency=self._slots.count,
            redelivery_timeout=self._redelivery,
            reconnection_delay=timedelta(seconds=WATCH_SECONDS),
            minimum_check_interval=IDLE_POLL,
            scheduling_resolution=_NEVER,
            schedule_automatic_tasks=False,
        )

    async def _answer(self) -> str | None:
        """Return the name of this start of Redis, None when it is away."""
        if not self._remote:
            return _MEMORY
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._docket.redis() as redis:
                return str((await redis.info("server"))["run_id"])
        except (RedisError, OSError, TimeoutError):
            return None

    def _note(self, server: str | None) -> None:
        """Log once per change, and have what was in the queue found again when it is lost."""
        if server is None:
            if not self._away:
                log.warning("redis away; jobs are done where they are woken", slots=self._slots.count)
            self._away = True
            return
        if self._away:
            log.info("redis back")
        if self._away or (self._server is not None and self._server != server):
            self._lost.set()
        self._away, self._server = False, server

    async def _reconcile(self) -> None:
        while True:
            self._lost.clear()
            for find in self._finds:
                try:
                    found = await find()
                except Unavailable as error:
                    log.warning("lost jobs cannot be looked for now", code=error.code)
                    continue
                for kind, key in found:
                    await self.wake(kind, key)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await self._lost.wait()
