"""Reading back over HTTP (socket-v5 §10)."""

from aiohttp import web

from server.transports import (
    http_content,
    http_drafts,
    http_export,
    http_media,
    http_reading,
    http_recordings,
    http_report,
    http_tests,
)


def attach(app: web.Application) -> None:
    """Add the addresses under /api/v1."""
    reading = (http_recordings, http_reading, http_export, http_tests, http_report)
    for part in (http_content, http_drafts, http_media, *reading):
        part.attach(app)
