"""`serve --protocol-profile`: what the public protocol suites are run against, without anything behind it."""

import asyncio
import sys

from aiohttp import web

from server.cli.address import http_url
from server.cli.failure import Failure
from server.cli.listen import BACKLOG, bound_port, listen
from server.settings import Settings, variable
from server.transports.heads import Runner
from server.transports.socketio.profile import ProtocolProfile

ALLOWED = frozenset(("host", "port", "data_dir", "log_level", "instance"))
HANG_UP_SECONDS = 1.0
WARNING = (
    "greenroom: this is an echo with deadlines of milliseconds, for protocol tests only: "
    "it knows no accounts and stores nothing"
)


async def serve_profile(settings: Settings) -> None:
    """Serve the protocol profile until cancelled; raises Failure when anything of a real server is set."""
    _check_bare(settings)
    sockets = listen(settings.host, settings.port)
    app = web.Application()
    ProtocolProfile().attach(app)
    runner = Runner(app, shutdown_timeout=HANG_UP_SECONDS)
    try:
        await runner.setup()
        for opened in sockets:
            await web.SockSite(runner, opened, backlog=BACKLOG).start()
        print(WARNING, file=sys.stderr, flush=True)
        print(f"Greenroom listens on {http_url(settings.host, bound_port(sockets))}", flush=True)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
        for opened in sockets:
            opened.close()


def _check_bare(settings: Settings) -> None:
    """See that nobody takes the echo for a server; raises Failure."""
    given = [field for field in Settings.model_fields if field in settings.model_fields_set - ALLOWED]
    if given:
        raise Failure(
            "--protocol-profile is an echo for protocol tests and takes none of a server's settings; "
            f"leave out {', '.join(map(variable, given))}, or the option"
        )
