"""Reading back over HTTP (socket-v5 §10)."""

from aiohttp import web

from server.transports import http_content, http_export, http_reading


def attach(app: web.Application) -> None:
    """Add the addresses under /api/v1."""
    for attach_part in (http_content.attach, http_reading.attach, http_export.attach):
        attach_part(app)
