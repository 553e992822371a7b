"""Tells a job's room of its results, in order and without waiting for each."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from schemas.batch import BatchResult
from server.engine.batch.rooms import result_eid, stored
from server.errors import Unavailable

MAX_WAITING = 1000
RETRY_SECONDS = 0.05
Publish = Callable[[str, bytes, str], "asyncio.Future[int]"]


class Teller:
    """Publishes results from `told` on; the event ids make doing it again harmless.

    `publish` takes an event's name, JSON and id; it raises Unavailable when too much waits; its futures do
    when this process may not speak for the job any more.
    """

    def __init__(self, publish: Publish, *, told: int, holds: Callable[[], bool]) -> None:
        self._publish = publish
        self._holds = holds
        self._waiting: deque[asyncio.Future[int]] = deque()
        self.told = told  # results that are in the room

    async def tell(self, results: Iterable[BatchResult]) -> None:
        """Publish results that follow each other; raises Unavailable once the lease is lost."""
        for result in results:
            if result.index < self.told + len(self._waiting):
                continue
            self._settle()
            while len(self._waiting) >= MAX_WAITING:
                await self._oldest()
            future = await self._queued(result)
            future.add_done_callback(_looked_at)
            self._waiting.append(future)

    async def finish(self) -> None:
        """Return when all is in the room; raises Unavailable once the lease is lost."""
        while self._waiting:
            await self._oldest()

    async def _queued(self, result: BatchResult) -> "asyncio.Future[int]":
        event = stored(result)
        while True:
            try:
                return self._publish(event.event, event.encode(), result_eid(result.job_id, result.index))
            except Unavailable:
                if not self._holds():
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    async def _oldest(self) -> None:
        await asyncio.wait([self._waiting[0]])
        self._settle()

    def _settle(self) -> None:
        """Count what is in the room; what the log refuses for good is left out of it."""
        while self._waiting and self._waiting[0].done():
            future = self._waiting[0]
            if future.cancelled() or isinstance(future.exception(), Unavailable):
                raise Unavailable("This process has lost its lease.")
            self._waiting.popleft()
            self.told += 1


def _looked_at(future: "asyncio.Future[int]") -> None:
    if not future.cancelled():
        future.exception()
