"""Health: whether a process lives, and whether it is to get clients."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from server.errors import Unavailable
from server.transports import keys
from server.transports.documents.shapes import Health
from server.transports.documents.told import told
from server.transports.http_errors import json_response
from server.transports.parts import part

AWAY_SECONDS = 10.0
PING_SECONDS = 1.0
TICK_SECONDS = 0.5
STALLED_SECONDS = 5.0  # late by so much, the loop is of no use to anybody
REMEMBERED_SECONDS = 10.0


class Pulse:
    """Measures how late the event loop is; a long stall is remembered for ten seconds."""

    def __init__(self) -> None:
        self._ticked_at = asyncio.get_running_loop().time()
        self._stalled_until = 0.0

    @property
    def lag(self) -> float:
        """Return by how many seconds the loop is late."""
        return max(0.0, asyncio.get_running_loop().time() - self._ticked_at - TICK_SECONDS)

    @property
    def stalled(self) -> bool:
        """Tell whether the loop stands still, or just did."""
        return self.lag > STALLED_SECONDS or asyncio.get_running_loop().time() < self._stalled_until

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = asyncio.get_running_loop().time()
            if self.lag > STALLED_SECONDS:
                self._stalled_until = now + REMEMBERED_SECONDS
            self._ticked_at = now


PULSE = web.AppKey("pulse", Pulse)


def attach(app: web.Application) -> None:
    """Add the addresses of health: /healthz and /readyz, which /health/live and /health/ready say too."""
    app.cleanup_ctx.append(_beating)
    for address in ("/healthz", "/health/live"):
        app.router.add_get(address, live)
    for address in ("/readyz", "/health/ready"):
        app.router.add_get(address, ready)


@told(Health, is_open=True)
async def live(request: web.Request) -> web.Response:
    """Answer while the process runs."""
    return json_response({"status": "ok"})


@told({200: Health, 503: Health}, is_open=True)
async def ready(request: web.Request) -> web.Response:
    """Answer 503 when the database has been away for ten seconds, 200 before: what comes back waits.

    Also when the event loop stands still, and once the process is about to stop. Without its bell a process
    only hears of the others later.
    """
    process = request.app[keys.PROCESS]
    if request.app[keys.DRAIN].begun:
        return json_response({"status": "draining", "process": process.name}, status=503)
    if process.silent > AWAY_SECONDS:
        return json_response({"status": "unavailable", "database": "away"}, status=503)
    if request.app[PULSE].stalled:
        return json_response({"status": "unavailable", "loop": "stalled"}, status=503)
    try:
        async with asyncio.timeout(PING_SECONDS):
            await request.app[keys.STORE].ping()
    except (Unavailable, TimeoutError):
        return json_response({"status": "degraded", "database": "away", "process": process.name})
    if not request.app[keys.BELL].healthy:
        return json_response({"status": "degraded", "bell": "away", "process": process.name})
    return json_response({"status": "ok", "process": process.name})


async def _beating(app: web.Application) -> AsyncIterator[None]:
    app[PULSE] = Pulse()
    async with part(app, app[PULSE].run, name="pulse"):
        yield
