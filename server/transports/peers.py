"""How many connections a peer has, whatever it asks on them: silent ones take a descriptor too."""

import asyncio

import structlog
from aiohttp import web

from server.transports.addresses import Addresses, counted_as
from server.transports.admission import Counts, Place

log = structlog.get_logger(__name__)
PER_CONNECTION = 4  # of a browser that has one socket or stream, and asks for other things besides


class Peers:
    """Gives places to connections as they are made; proxies that are trusted may have any number."""

    def __init__(self, *, per_address: int, addresses: Addresses) -> None:
        self._most = per_address * PER_CONNECTION
        self._addresses = addresses
        self._warned = False
        self.places = Counts()

    def enter(self, transport: asyncio.BaseTransport) -> Place | None:
        """Give a place to a connection; None when its peer has as many as it may."""
        peer = self._addresses.peer(transport)
        if peer is None:
            return Place(lambda place: None)
        name = counted_as(peer)
        if len(self.places.of(name)) < self._most:
            return self.places.add(name)
        if not self._warned:
            self._warned = True
            log.warning("an address has too many connections; those beyond are closed", address=peer)
        return None


PEERS = web.AppKey("peers", Peers)
