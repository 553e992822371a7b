"""Parts that run as long as the application; a bug in one of them ends the process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiohttp import web

from server.transports.keys import BROKEN

log = structlog.get_logger(__name__)


def own(
    app: web.Application, run: Callable[[], Coroutine[Any, Any, None]], *, name: str
) -> asyncio.Task[None]:
    """Run a part until it is cancelled; when it breaks, whoever runs the process has to end it."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("a part broke; the process ends", part=task.get_name(), exc_info=error)
            app[BROKEN].set()

    task = asyncio.create_task(run(), name=name)
    task.add_done_callback(ended)
    return task


@asynccontextmanager
async def part(
    app: web.Application, run: Callable[[], Coroutine[Any, Any, None]], *, name: str
) -> AsyncIterator[None]:
    """Run a part while the context lasts."""
    task = own(app, run, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
