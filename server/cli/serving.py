"""A running server with everything that it stands on."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import structlog
from aiohttp import web

from server.app import make_app
from server.cli.address import http_url, reachable
from server.cli.alone import alone
from server.cli.failure import Failure
from server.cli.listen import BACKLOG, bound_port, listen
from server.cli.parts import database, model
from server.cli.secret import signing_secret
from server.errors import GreenroomError
from server.llm import Models
from server.settings import Settings, variable
from server.store import Store
from server.transports import keys
from server.transports.siblings import Siblings

log = structlog.get_logger(__name__)
HANG_UP_SECONDS = 3.0  # for requests that run when the server stops, before they are cut


@dataclass(frozen=True, kw_only=True)
class Serving:
    """A server that answers: where it is bound, where this machine reaches it, what settings really hold."""

    bound: str
    url: str
    settings: Settings
    store: Store
    broken: asyncio.Event

    async def until_broken(self) -> None:
        """Wait until the process cannot go on, and raise Failure; cancelling is the usual end."""
        await self.broken.wait()
        raise Failure("a part of the server broke; its log tells which and why")


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Serving]:
    """Yield a server that answers; at the end it stops first, then the model, then the database.

    Raises Failure or EmbeddedError for what a person has to put right. Cancelling is safe.
    """
    _check_shared(settings)
    sockets = listen(settings.host, settings.port, shared=settings.reuse_port)
    port = bound_port(sockets)
    try:
        secret = signing_secret(settings)
        guests = settings.mongodb_url is None if settings.guests is None else settings.guests
        async with alone_on(settings), database(settings) as with_database, model(with_database) as effective:
            app = make_app(effective, secret=secret, guests=guests)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=HANG_UP_SECONDS)
            try:
                await _start(runner)
                if settings.reuse_port:
                    await _meet_siblings(runner, app[keys.SIBLINGS])
                for opened in sockets:
                    await web.SockSite(runner, opened, backlog=BACKLOG).start()
                log.info("listening", host=settings.host, port=port)
                async with _model_checked(app[keys.MODELS]):
                    yield Serving(
                        bound=http_url(settings.host, port),
                        url=http_url(reachable(settings.host), port),
                        settings=effective,
                        store=app[keys.STORE],
                        broken=app[keys.BROKEN],
                    )
            finally:
                await app[keys.SIBLINGS].close()
                await runner.cleanup()
    finally:
        for opened in sockets:
            opened.close()


def _check_shared(settings: Settings) -> None:
    """See that a port is shared by servers that know of each other only; raises Failure."""
    if not settings.reuse_port:
        return
    missing = [variable(name) for name in ("mongodb_url", "redis_url") if getattr(settings, name) is None]
    if missing:
        raise Failure(
            f"GREENROOM_REUSE_PORT is for servers that share more than the port; set {' and '.join(missing)} "
            "too, or use python -m server scaled, which starts all of it"
        )
    if not hasattr(socket, "SO_REUSEPORT") or sys.platform == "win32":
        raise Failure("on this system a port cannot be shared; leave GREENROOM_REUSE_PORT out")


async def _meet_siblings(runner: web.AppRunner, siblings: Siblings) -> None:
    assert runner.server is not None
    try:
        await siblings.listen(runner.server)
    except OSError as error:
        raise Failure(
            f"cannot make a socket in the data directory: {error.strerror}; choose another --data-dir"
        ) from error


@asynccontextmanager
async def alone_on(settings: Settings) -> AsyncIterator[None]:
    """Be the only server of an embedded database."""
    if settings.mongodb_url:
        yield
        return
    with alone(settings.data_dir):
        yield


async def _start(runner: web.AppRunner) -> None:
    try:
        await runner.setup()
    except GreenroomError as error:
        raise Failure(f"the server cannot start: {error.message}") from error


@asynccontextmanager
async def _model_checked(models: Models) -> AsyncIterator[None]:
    """Ask for the model while the server serves already: without one only replies and grades fail."""
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
