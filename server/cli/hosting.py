"""An application that runs on sockets, until it is told to stop or breaks."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import structlog
from aiohttp import web

from server.cli.failure import Failure
from server.cli.listen import BACKLOG
from server.draining import WORK_SECONDS
from server.errors import GreenroomError
from server.llm import Models
from server.transports import keys
from server.transports.heads import Runner

log = structlog.get_logger(__name__)
HANG_UP_SECONDS = 2.0  # for requests that run when the process stops, before they are cut
Prepare = Callable[[web.AppRunner], Awaitable[None]]


@asynccontextmanager
async def hosted(
    app: web.Application, sockets: Sequence[socket.socket], *, prepare: Prepare | None = None
) -> AsyncIterator[None]:
    """Run an application and serve it on sockets, `prepare` in between; raises Failure."""
    runner = Runner(app, shutdown_timeout=HANG_UP_SECONDS)
    try:
        await _start(runner)
        if prepare is not None:
            await prepare(runner)
        for opened in sockets:
            await web.SockSite(runner, opened, backlog=BACKLOG).start()
        async with _model_checked(app[keys.MODELS]):
            try:
                yield
            finally:
                await _drain(runner, sockets)
    finally:
        await app[keys.SIBLINGS].close()
        await runner.cleanup()


async def until_broken(app: web.Application) -> None:
    """Wait until a process cannot go on, and raise Failure; cancelling is the usual end."""
    await app[keys.BROKEN].wait()
    raise Failure("a part of the process broke; its log tells which and why")


async def _drain(runner: web.AppRunner, sockets: Sequence[socket.socket]) -> None:
    """Let what runs end, before the rest is cut; a second Ctrl-C cancels it."""
    drain, shared = runner.app[keys.DRAIN], runner.app[keys.SETTINGS].reuse_port
    drain.begin()
    if shared:  # siblings get the new connections; alone the process goes on telling that it is not ready
        await _stop_listening(runner, sockets)
    await drain.finish(0.0 if runner.app[keys.BROKEN].is_set() else WORK_SECONDS)
    await _stop_listening(runner, sockets)  # who comes back finds nobody, tries again, and finds the next
    await drain.close_doors()


async def _stop_listening(runner: web.AppRunner, sockets: Sequence[socket.socket]) -> None:
    for site in list(runner.sites):
        await site.stop()
    for opened in sockets:
        opened.close()


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
