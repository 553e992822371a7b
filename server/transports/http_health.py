"""Health and metrics."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from server.errors import Unavailable
from server.logs import ERRORS
from server.transports import keys
from server.transports.http_errors import json_response
from server.transports.http_events import SESSIONS

AWAY_SECONDS = 10.0
PING_SECONDS = 1.0
TICK_SECONDS = 0.5
STALLED_SECONDS = 5.0  # late by so much, the loop is of no use to anybody
REMEMBERED_SECONDS = 10.0
DESCRIPTORS = Path("/dev/fd")


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
    """Add /health/live, /health/ready and /metrics."""
    app.cleanup_ctx.append(_beating)
    app.router.add_get("/health/live", live)
    app.router.add_get("/health/ready", ready)
    app.router.add_get("/metrics", metrics)


async def live(request: web.Request) -> web.Response:
    """Answer while the process runs."""
    return json_response({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """Answer 503 when the database has been away for ten seconds, 200 before: what comes back waits.

    Also when the event loop stands still. Without its bell a process only hears of the others later.
    """
    process = request.app[keys.PROCESS]
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


async def metrics(request: web.Request) -> web.Response:
    """Answer the figures of this process in Prometheus' format."""
    app = request.app
    registry = CollectorRegistry()
    hub, bell, sessions = app[keys.HUB], app[keys.BELL], app.get(SESSIONS, {})
    for name, text, value in (
        ("connections", "Open socket connections", app[keys.SOCKETS].connections),
        ("replies_running", "Replies that this process is producing", app[keys.CONVERSATION].running),
        ("rooms_loaded", "Rooms in memory", hub.loaded),
        ("deliveries_total", "Entries written to followers", hub.deliveries),
        ("commits_total", "Group commits of the log", hub.log.commits),
        ("commit_seconds", "Duration of the last group commit", hub.log.commit_seconds),
        ("queue_bytes", "Bytes that wait for the log", hub.log.queue_bytes),
        ("bell_healthy", "1 when other processes are heard, 0 when the log is polled", bell.healthy),
        ("bell_age", "Seconds since the bell was known to work", bell.age),
        ("bell_ignored_total", "Messages of the bell that were forged, broken or outdated", bell.ignored),
        ("loop_lag_seconds", "How late the event loop is", app[PULSE].lag),
        ("http_sessions", "Sessions of clients without a socket", len(sessions)),
        ("streams", "Open event streams", sum(session.attached for session in sessions.values())),
        ("tasks", "Tasks of the event loop", len(asyncio.all_tasks())),
        ("open_files", "Descriptors of the process, -1 where the system does not tell", _open_files()),
        ("errors_total", "Records logged as errors", ERRORS.total),
    ):
        Gauge(f"greenroom_{name}", text, registry=registry).set(value)
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _open_files() -> int:
    try:
        return len(list(DESCRIPTORS.iterdir())) - 1  # the listing is one itself
    except OSError:
        return -1


async def _beating(app: web.Application) -> AsyncIterator[None]:
    app[PULSE] = Pulse()
    task = asyncio.create_task(app[PULSE].run(), name="pulse")
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
