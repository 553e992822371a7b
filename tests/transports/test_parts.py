"""Parts that run as long as the application: a bug in one of them ends the process."""

import asyncio

import structlog
from aiohttp import web

from server.transports import http_health, keys
from server.transports.http_health import PULSE
from tests.support.clients import PATIENCE


async def test_a_bug_in_the_pulse_ends_the_process() -> None:
    app = web.Application()
    app[keys.BROKEN] = asyncio.Event()
    http_health.attach(app)
    runner = web.AppRunner(app)
    with structlog.testing.capture_logs() as logs:
        await runner.setup()
        try:
            app[PULSE]._ticked_at = "a bug"  # type: ignore[assignment] # as the pulse finds it at its next tick
            async with asyncio.timeout(PATIENCE):
                await app[keys.BROKEN].wait()
        finally:
            await runner.cleanup()
    assert [entry["part"] for entry in logs if entry["log_level"] == "critical"] == ["pulse"]
