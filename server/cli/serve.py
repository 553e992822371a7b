"""`serve`: the server on one address, with the parts that it needs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import structlog
from aiohttp import web

from server.app import make_app
from server.cli.address import web_address
from server.cli.failure import Failure
from server.cli.listen import bound_port, listen
from server.cli.options import DataDir, Host, Port, configure
from server.cli.parts import database, model
from server.cli.run import run
from server.cli.secret import signing_secret
from server.errors import GreenroomError
from server.llm import Models
from server.settings import Settings
from server.transports import keys

log = structlog.get_logger(__name__)
HANG_UP_SECONDS = 3.0  # for requests that run when the server stops, before they are cut


@dataclass(frozen=True, kw_only=True)
class Serving:
    """A server that answers: its address, its application and the settings that really hold."""

    url: str
    app: web.Application
    settings: Settings


def serve(host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """Run the server until Ctrl-C or SIGTERM.

    Uses MONGODB_URL and OPENAI_API_KEY or OPENAI_BASE_URL where they are given, and starts the embedded
    MongoDB and the small model where not.
    """
    run(_serve(configure_server(host, port, data_dir)), when_stopped=0)


def configure_server(host: Host, port: Port, data_dir: DataDir) -> Settings:
    """Return the settings of a server."""
    return configure(host=host, port=port, data_dir=data_dir)


async def _serve(settings: Settings) -> None:
    async with serving(settings) as server:
        print(f"Greenroom listens on {server.url}", flush=True)
        await asyncio.Event().wait()


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Serving]:
    """Yield a server that answers; at the end it stops first, then the model, then the database.

    Raises Failure or EmbeddedError for what a person has to put right. Cancelling is safe.
    """
    sockets = listen(settings.host, settings.port)
    url = web_address(settings.host, bound_port(sockets))
    try:
        secret = signing_secret(settings)
        guests = settings.mongodb_url is None if settings.guests is None else settings.guests
        async with database(settings) as with_database, model(with_database) as effective:
            app = make_app(effective, secret=secret, guests=guests)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=HANG_UP_SECONDS)
            try:
                await _start(runner)
                for opened in sockets:
                    await web.SockSite(runner, opened).start()
                async with _watch_over(app[keys.MODELS], url):
                    yield Serving(url=url, app=app, settings=effective)
            finally:
                await runner.cleanup()
    finally:
        for opened in sockets:
            opened.close()


async def _start(runner: web.AppRunner) -> None:
    try:
        await runner.setup()
    except GreenroomError as error:
        raise Failure(f"the server cannot start: {error.message}") from error


@asynccontextmanager
async def _watch_over(models: Models, url: str) -> AsyncIterator[None]:
    """Ask for the model while the server serves already: without one only replies and grades fail."""
    log.info("listening", url=url)
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
