"""A running worker with everything that it stands on."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from aiohttp import web

from server.app import make_worker
from server.cli.descriptors import raise_descriptor_limit
from server.cli.garbage import tune_collector
from server.cli.hosting import hosted, until_broken
from server.cli.listen import bound_port, listen
from server.cli.parts import check_tracing, database, model
from server.cli.secret import known_secret
from server.settings import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Working:
    """A worker that runs jobs, and the port of its health where it has one."""

    app: web.Application
    port: int | None

    async def until_broken(self) -> None:
        """Wait until the process cannot go on, and raise Failure; cancelling is the usual end."""
        await until_broken(self.app)


@asynccontextmanager
async def working(settings: Settings, health_port: int | None) -> AsyncIterator[Working]:
    """Yield a worker that runs jobs; at the end they are given up first, so that others take them at once.

    Raises Failure or EmbeddedError for what a person has to put right. Cancelling is safe.
    """
    raise_descriptor_limit()
    check_tracing(settings)
    sockets: list[socket.socket] = [] if health_port is None else listen(settings.host, health_port)
    port = bound_port(sockets) if sockets else None
    try:
        async with database(settings) as with_database, model(with_database) as effective:
            app = make_worker(effective, secret=known_secret(settings))
            async with hosted(app, sockets):
                tune_collector()
                log.info("working", port=port)
                yield Working(app=app, port=port)
    finally:
        for opened in sockets:
            opened.close()
