"""What the beat of the ops room tells of this process."""

from aiohttp import web

from server.engine.watching import Figures
from server.logs import ERRORS
from server.transports import keys
from server.transports.http_events import SESSIONS

QUEUES = (keys.JOBS, keys.BATCH_JOBS, keys.EVALUATOR_JOBS, keys.INDEX_JOBS)


def replies_of(app: web.Application) -> int:
    """Return how many replies and answers this process is producing."""
    return app[keys.CONVERSATION].running + len(app[keys.PLAYGROUND].replies.running)


def figures_of(app: web.Application) -> Figures:
    """Return the figures of an application; sockets and open streams count as connections."""
    hub = app[keys.HUB]
    streams = sum(session.attached for session in app.get(SESSIONS, {}).values())
    return Figures(
        connections=app[keys.SOCKETS].connections + streams,
        replies_running=replies_of(app),
        jobs=sum(app[key].running for key in QUEUES),
        deltas=hub.log.deltas,
        deliveries=hub.deliveries,
        errors=ERRORS.total,
        waiting=app[keys.QUEUES].waiting,
    )
