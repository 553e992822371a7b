"""Background work: nothing runs unowned, and nothing runs twice."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from server.errors import GreenroomError

log = structlog.get_logger(__name__)


class Tasks:
    """Owns background tasks by key; a key is claimed before the first await."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, key: str) -> bool:
        return key in self._tasks

    def start(self, key: str, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Run work unless its key is running already."""
        if key in self._tasks:
            return False
        task = asyncio.create_task(work(), name=key)
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))
        return True

    def cancel(self, key: str) -> None:
        """Cancel a task if it is running; it does nothing more but clean up."""
        if (task := self._tasks.get(key)) is not None:
            task.cancel()

    async def wait(self, key: str, seconds: float) -> bool:
        """Wait for a task to end; False when it is still running after `seconds`."""
        task = self._tasks.get(key)
        if task is None:
            return True
        await asyncio.wait([task], timeout=seconds)
        return task.done()

    async def close(self, seconds: float) -> None:
        """Give all tasks some time to end, then cancel them."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=seconds)
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(key, None)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, GreenroomError):
            log.warning("background work failed", key=key, code=error.code)
        else:
            log.error("background work broke", key=key, exc_info=error)
