"""The jobs that run in this process, so many at a time; a job runs on whatever becomes of the queue."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import copy_context

import structlog

from server import tracing
from server.errors import Unavailable

log = structlog.get_logger(__name__)
Run = Callable[[str], Awaitable[None]]


def job_name(kind: str, key: str) -> str:
    """Return the name under which a job is queued and runs."""
    return f"{kind}:{key}"


class Slots:
    """Runs jobs, `count` at a time, and each once at a time; `on_full` runs when the last slot is taken."""

    def __init__(self, count: int, *, on_full: Callable[[], None]) -> None:
        self.count = count
        self.running = 0
        self._free = asyncio.Semaphore(count)
        self._on_full = on_full
        self._runs: dict[str, Run] = {}
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self._again: dict[str, bool] = {}  # of jobs that have begun: whether they were woken since

    @property
    def full(self) -> bool:
        """Tell whether all slots are taken."""
        return self.running >= self.count

    def handle(self, kind: str, run: Run) -> None:
        """Have jobs of a kind done by `run`."""
        self._runs[kind] = run

    def begin(self, kind: str, key: str, *, trace: str | None = None) -> asyncio.Task[None] | None:
        """Start a job unless it waits or runs here; return its task, or None when its kind is not known.

        It goes on with `trace`, the `traceparent` of who woke it; without one with the trace that holds here.
        """
        name = job_name(kind, key)
        if (job := self._jobs.get(name)) is not None:
            return job
        if (run := self._runs.get(kind)) is None:
            log.error("a job of a kind that this process does not know", kind=kind)
            return None
        context = copy_context()
        work = self._perform(run, key, name, trace=trace or tracing.traceparent())
        job = self._jobs[name] = asyncio.create_task(work, name=name, context=context)
        job.add_done_callback(self._ended, context=context)
        return job

    def again(self, kind: str, key: str) -> bool:
        """Have a job done once more when it has begun here; False when it has not."""
        name = job_name(kind, key)
        if name not in self._again:
            return False
        self._again[name] = True
        return True

    async def close(self, seconds: float) -> None:
        """Cancel what runs, and wait for its end."""
        jobs = list(self._jobs.values())
        for job in jobs:
            job.cancel()
        if jobs:
            _, left = await asyncio.wait(jobs, timeout=seconds)
            for job in left:
                log.error("a job does not end", job=job.get_name(), seconds=seconds)

    async def _perform(self, run: Run, key: str, name: str, *, trace: str | None) -> None:
        async with self._free:
            self.running += 1
            if self.full:
                self._on_full()
            try:
                self._again[name] = True
                while self._again[name]:
                    self._again[name] = False
                    with tracing.begin(f"job {name.partition(':')[0]}", "consumer", after=trace) as span:
                        span.set("greenroom.job", key)
                        await run(key)
            finally:
                del self._again[name]
                self.running -= 1

    def _ended(self, job: asyncio.Task[None]) -> None:
        del self._jobs[job.get_name()]
        if job.cancelled() or (error := job.exception()) is None:
            return
        if isinstance(error, Unavailable):
            log.warning("a job could not be done now", job=job.get_name(), code=error.code)
        else:
            log.error("a job broke", job=job.get_name(), exc_info=error)
