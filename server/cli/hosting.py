"""An application that runs on sockets, until it is told to stop or breaks."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import structlog
from aiohttp import web

from server.cli.failure import Failure
from server.cli.listen import BACKLOG
from server.errors import GreenroomError
from server.llm import Models
from server.transports import keys

log = structlog.get_logger(__name__)
HANG_UP_SECONDS = 3.0  # for requests that run when the process stops, before they are cut
Prepare = Callable[[web.AppRunner], Awaitable[None]]


@asynccontextmanager
async def hosted(
    app: web.Application, sockets: Sequence[socket.socket], *, prepare: Prepare | None = None
) -> AsyncIterator[None]:
    """Run an application and serve it on sockets, `prepare` in between; raises Failure."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=HANG_UP_SECONDS)
    try:
        await _start(runner)
        if prepare is not None:
            await prepare(runner)
        for opened in sockets:
            await web.SockSite(runner, opened, backlog=BACKLOG).start()
        async with _model_checked(app[keys.MODELS]):
            yield
    finally:
        await app[keys.SIBLINGS].close()
        await runner.cleanup()


async def until_broken(app: web.Application) -> None:
    """Wait until a process cannot go on, and raise Failure; cancelling is the usual end."""
    await app[keys.BROKEN].wait()
    raise Failure("a part of the process broke; its log tells which and why")


async def _start(runner: web.AppRunner) -> None:
    try:
        await runner.setup()
    except GreenroomError as error:
        raise Failure(f"the process cannot start: {error.message}") from error


@asynccontextmanager
async def _model_checked(models: Models) -> AsyncIterator[None]:
    """Ask for the model while the process works already: without one only replies and grades fail."""
    check = asyncio.create_task(_check(models), name="model-check")
    try:
        yield
    finally:
        check.cancel()
        with suppress(asyncio.CancelledError):
            await check


async def _check(models: Models) -> None:
    try:
        await models.check()
    except GreenroomError as error:
        log.warning("model not usable; replies and grades fail until it is", reason=error.message)
