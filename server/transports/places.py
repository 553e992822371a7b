"""Requests whose answer takes long, as connections that count."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from server.engine.access import Identity
from server.transports import keys


class Waiting:
    """A request whose answer takes long, as a connection that counts; it cannot be asked anything."""

    silent = False

    def __init__(self, request: web.Request) -> None:
        self._request = request

    def probe(self) -> None:
        """Ask nothing: HTTP has no question for a client that waits."""

    def abort(self, reason: str) -> None:
        """Cut the connection."""
        if self._request.transport is not None:
            self._request.transport.abort()


@asynccontextmanager
async def place_of(request: web.Request, caller: Identity) -> AsyncIterator[None]:
    """Count a request as a connection while it is answered; raises RateLimited."""
    admission = request.app[keys.ADMISSION]
    at_address = admission.at_address(request.app[keys.ADDRESSES].of(request))
    try:
        of_identity = await admission.of_identity(caller.key, Waiting(request))
        try:
            yield
        finally:
            of_identity.leave()
    finally:
        at_address.leave()
