"""Reading back over HTTP (socket-v5 §10)."""

from aiohttp import web


def attach(app: web.Application) -> None:
    """Add the addresses under /api/v1."""
