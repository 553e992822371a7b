"""Runs the application as a process: settings from the environment, its address on standard output."""

import asyncio

from aiohttp import web

from server.app import make_app
from server.logs import configure
from server.settings import Settings
from server.transports.heads import Runner


async def serve() -> None:
    """Serve until the process is ended."""
    settings = Settings()
    configure(settings.log_level, form="json")
    assert settings.secret is not None
    runner = Runner(make_app(settings, secret=settings.secret, guests=True), shutdown_timeout=2)
    await runner.setup()
    await web.TCPSite(runner, settings.host, settings.port).start()
    print(f"http://{settings.host}:{settings.port}", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())
