"""The figures of a process, in Prometheus' format."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas.room import OpsWaiting
from server.logs import ERRORS
from server.transports import keys
from server.transports.documents.told import Media, told
from server.transports.figures import replies_of
from server.transports.http_events import SESSIONS
from server.transports.http_health import PULSE
from server.transports.socketio.outbox import SLOW

DESCRIPTORS = Path("/dev/fd")
Figure = tuple[str, str, float]


def attach(app: web.Application) -> None:
    """Add /metrics."""
    app.router.add_get("/metrics", metrics)


@told(Media("text/plain"), is_open=True)
async def metrics(request: web.Request) -> web.Response:
    """Answer the figures as they are now."""
    registry = CollectorRegistry()
    registry.register(Figures(request.app))
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class Figures(Collector):
    """What an application knows of itself, as Prometheus asks for it."""

    def __init__(self, app: web.Application) -> None:
        self._app = app

    def collect(self) -> Iterator[Metric]:
        """Yield every figure."""
        for name, text, value in self._gauges():
            yield GaugeMetricFamily(f"greenroom_{name}", text, value=value)
        for name, text, value in self._counters():
            yield CounterMetricFamily(f"greenroom_{name}", text, value=value)
        yield self._ended()
        if (waiting := self._app[keys.QUEUES].waiting) is not None:
            yield _waiting(waiting)

    def _gauges(self) -> tuple[Figure, ...]:
        app = self._app
        hub, bell, sessions = app[keys.HUB], app[keys.BELL], app.get(SESSIONS, {})
        return (
            ("connections", "Open socket connections", app[keys.SOCKETS].connections),
            ("replies_running", "Replies that this process is producing", replies_of(app)),
            (
                "batch_runs_running",
                "Runs of batch jobs that go on in this process",
                app[keys.BATCH_KEEPER].runs,
            ),
            (
                "evaluator_calls_running",
                "Calls to agents that are under way in this process",
                app[keys.EVALUATOR_KEEPER].talking,
            ),
            (
                "pipelines_indexing",
                "Pipelines whose documents this process indexes now",
                app[keys.INDEX_KEEPER].running,
            ),
            (
                "index_bytes",
                "Bytes that the indexes of pipelines take in memory, about",
                app[keys.INDEXES].size,
            ),
            ("rooms_loaded", "Rooms in memory", hub.loaded),
            ("commit_seconds", "Duration of the last group commit", hub.log.commit_seconds),
            ("queue_bytes", "Bytes that wait for the log", hub.log.queue_bytes),
            ("bell_healthy", "1 when other processes are heard, 0 when the log is polled", bell.healthy),
            ("bell_age", "Seconds since the bell was known to work", bell.age),
            ("loop_lag_seconds", "How late the event loop is", app[PULSE].lag),
            ("http_sessions", "Sessions of clients without a socket", len(sessions)),
            ("streams", "Open event streams", sum(session.attached for session in sessions.values())),
            ("addresses", "Addresses with a connection", len(app[keys.ADMISSION].addresses)),
            ("identities", "Profiles and guests with a connection", len(app[keys.ADMISSION].identities)),
            ("tasks", "Tasks of the event loop", len(asyncio.all_tasks())),
            ("open_files", "Descriptors of the process, -1 where the system does not tell", _open_files()),
            ("draining", "1 once the process is about to stop", app[keys.DRAIN].begun),
        )

    def _counters(self) -> tuple[Figure, ...]:
        app = self._app
        hub = app[keys.HUB]
        ignored = app[keys.BELL].ignored
        return (
            ("deliveries", "Entries written to followers", hub.deliveries),
            ("commits", "Group commits of the log", hub.log.commits),
            ("bell_ignored", "Messages of the bell that were forged, broken or outdated", ignored),
            ("errors", "Records logged as errors", ERRORS.total),
        )

    def _ended(self) -> Metric:
        """Return how many connections have ended, and why; slow consumers are there before there are any."""
        found = CounterMetricFamily(
            "greenroom_connections_ended", "Connections that have ended", labels=("transport", "reason")
        )
        for transport, ended in (
            ("socket", self._app[keys.SOCKETS].ended),
            ("stream", self._app[keys.STREAMS_ENDED]),
        ):
            for reason, count in ({SLOW: 0} | ended).items():
                found.add_metric((transport, reason), count)
        return found


def _waiting(waiting: OpsWaiting) -> Metric:
    """Return how much waits in all processes; one of them tells it."""
    found = GaugeMetricFamily(
        "greenroom_jobs_waiting",
        "Runs of tests, batch jobs, results and documents that wait, told by one process for all",
        labels=("kind",),
    )
    for kind, count in waiting.model_dump().items():
        found.add_metric((kind,), count)
    return found


def _open_files() -> int:
    try:
        return len(list(DESCRIPTORS.iterdir())) - 1  # the listing is one itself
    except OSError:
        return -1
