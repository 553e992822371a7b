"""Health and metrics."""

import asyncio

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from server.errors import Unavailable
from server.transports import keys
from server.transports.http_errors import json_response

AWAY_SECONDS = 10.0
PING_SECONDS = 1.0


def attach(app: web.Application) -> None:
    """Add /health/live, /health/ready and /metrics."""
    app.router.add_get("/health/live", live)
    app.router.add_get("/health/ready", ready)
    app.router.add_get("/metrics", metrics)


async def live(request: web.Request) -> web.Response:
    """Answer while the process runs."""
    return json_response({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """Answer 503 when the database has been away for ten seconds, 200 before: what comes back waits."""
    process = request.app[keys.PROCESS]
    if process.silent > AWAY_SECONDS:
        return json_response({"status": "unavailable", "database": "away"}, status=503)
    try:
        async with asyncio.timeout(PING_SECONDS):
            await request.app[keys.STORE].ping()
    except (Unavailable, TimeoutError):
        return json_response({"status": "degraded", "database": "away", "process": process.name})
    return json_response({"status": "ok", "process": process.name})


async def metrics(request: web.Request) -> web.Response:
    """Answer the figures of this process in Prometheus' format."""
    app = request.app
    registry = CollectorRegistry()
    hub = app[keys.HUB]
    for name, text, value in (
        ("connections", "Open socket connections", app[keys.SOCKETS].connections),
        ("replies_running", "Replies that this process is producing", app[keys.CONVERSATION].running),
        ("rooms_loaded", "Rooms in memory", hub.loaded),
        ("deliveries_total", "Entries written to followers", hub.deliveries),
        ("commits_total", "Group commits of the log", hub.log.commits),
        ("commit_seconds", "Duration of the last group commit", hub.log.commit_seconds),
        ("queue_bytes", "Bytes that wait for the log", hub.log.queue_bytes),
    ):
        Gauge(f"greenroom_{name}", text, registry=registry).set(value)
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
