"""What the beat of the ops room tells of this process."""

from aiohttp import web

from server.engine.watching import Figures
from server.logs import ERRORS
from server.transports import keys
from server.transports.http_events import SESSIONS


def figures_of(app: web.Application) -> Figures:
    """Return the figures of an application; sockets and open streams count as connections."""
    hub = app[keys.HUB]
    streams = sum(session.attached for session in app.get(SESSIONS, {}).values())
    return Figures(
        connections=app[keys.SOCKETS].connections + streams,
        replies_running=app[keys.CONVERSATION].running,
        jobs=app[keys.JOBS].running,
        deltas=hub.log.deltas,
        deliveries=hub.deliveries,
        errors=ERRORS.total,
    )
