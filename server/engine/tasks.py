"""Background work: nothing runs unowned, and nothing runs twice."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any

import structlog

from server import tracing
from server.errors import GreenroomError

log = structlog.get_logger(__name__)
CANCEL_SECONDS = 1.0  # for cancelled tasks to clean up


class Tasks:
    """Owns background tasks by key; a key is claimed before the first await."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._let_go: set[str] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, key: str) -> bool:
        return key in self._tasks

    def start(self, key: str, work: Callable[[], Coroutine[Any, Any, None]], *, let_go: bool = False) -> bool:
        """Run work unless its key is running already; who stops does not wait for what is `let_go`."""
        if key in self._tasks:
            return False
        if let_go:
            self._let_go.add(key)
        context = copy_context()
        task = asyncio.create_task(_traced(key, work), name=key, context=context)
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._ended(key, done), context=context)
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

    async def finish(self) -> None:
        """Wait until all tasks, and those that they start, have ended; cancelling it leaves them running."""
        while tasks := [task for key, task in self._tasks.items() if key not in self._let_go]:
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Cancel all tasks, and wait a moment for their cleanup."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=CANCEL_SECONDS)
            for task in left:
                log.error("background work does not end", key=task.get_name())

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(key, None)
        self._let_go.discard(key)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, GreenroomError):
            log.warning("background work failed", key=key, code=error.code)
        else:
            log.error("background work broke", key=key, exc_info=error)


async def _traced(key: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Work as a part of the trace in which it was started."""
    with tracing.span(f"task {key.partition(':')[0]}"):
        await work()
