"""A running server with everything that it stands on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from aiohttp import web

from server.app import make_app
from server.cli.address import http_url, reachable
from server.cli.alone import alone_on
from server.cli.descriptors import raise_descriptor_limit
from server.cli.failure import Failure
from server.cli.garbage import tune_collector
from server.cli.hosting import hosted, until_broken
from server.cli.listen import bound_port, can_share_ports, listen
from server.cli.parts import check_admin, check_tracing, database, guests, model, private_urls
from server.cli.secret import signing_secret
from server.settings import Settings, variable
from server.store import Store
from server.transports import keys

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Serving:
    """A server that answers: where it is bound, where this machine reaches it, what settings really hold."""

    bound: str
    url: str
    settings: Settings
    store: Store
    app: web.Application

    async def until_broken(self) -> None:
        """Wait until the process cannot go on, and raise Failure; cancelling is the usual end."""
        await until_broken(self.app)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Serving]:
    """Yield a server that answers; at the end it stops first, then the model, then the database.

    Raises Failure or EmbeddedError for what a person has to put right. Cancelling is safe.
    """
    raise_descriptor_limit()
    _check_shared(settings)
    check_tracing(settings)
    check_admin(settings)
    sockets = listen(settings.host, settings.port, shared=settings.reuse_port)
    port = bound_port(sockets)
    try:
        secret = signing_secret(settings)
        meet = _meet_siblings if settings.reuse_port else None
        with alone_on(settings):
            async with database(settings) as with_database, model(with_database) as found:
                effective = found.model_copy(update={"private_urls": private_urls(settings)})
                app = make_app(effective, secret=secret, guests=guests(settings))
                async with hosted(app, sockets, prepare=meet):
                    tune_collector()
                    log.info("listening", host=settings.host, port=port)
                    yield Serving(
                        bound=http_url(settings.host, port),
                        url=http_url(reachable(settings.host), port),
                        settings=effective,
                        store=app[keys.STORE],
                        app=app,
                    )
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
    if not can_share_ports():
        raise Failure("on this system a port cannot be shared; leave GREENROOM_REUSE_PORT out")


async def _meet_siblings(runner: web.AppRunner) -> None:
    assert runner.server is not None
    try:
        await runner.app[keys.SIBLINGS].listen(runner.server)
    except OSError as error:
        raise Failure(
            f"cannot make a socket in the data directory: {error.strerror}; choose another --data-dir"
        ) from error
