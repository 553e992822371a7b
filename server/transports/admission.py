"""How many connections an identity and an address may have in this process, sockets and streams together."""

import asyncio
from collections.abc import Callable
from math import inf
from typing import Protocol

from server.errors import RateLimited
from server.settings import Settings
from server.transports.addresses import counted_as
from server.transports.socketio.outbox import REPLACED

ANSWER_SECONDS = 3.0
CHECK_SECONDS = 0.05


class Probed(Protocol):
    """A connection that can be asked whether its client is still there."""

    def probe(self) -> None:
        """Ask the client for a sign of life; harmless when it was asked already."""

    @property
    def silent(self) -> bool:
        """Tell whether the client owes a sign of life."""

    def abort(self, reason: str) -> None:
        """Cut the connection; its client may come back."""


class Place:
    """A connection that counts until `leave`, which is harmless when it is called again."""

    __slots__ = ("_gone", "connection")

    def __init__(self, gone: Callable[["Place"], None], connection: Probed | None = None) -> None:
        self._gone: Callable[[Place], None] | None = gone
        self.connection = connection

    def leave(self) -> None:
        """Count no more."""
        gone, self._gone, self.connection = self._gone, None, None
        if gone is not None:
            gone(self)


class Counts:
    """The places of each name, oldest first; a name without one takes no memory."""

    def __init__(self) -> None:
        self._places: dict[str, dict[Place, None]] = {}

    def __len__(self) -> int:
        return len(self._places)

    @property
    def names(self) -> list[str]:
        """Return who has places."""
        return list(self._places)

    def of(self, name: str) -> list[Place]:
        """Return the places of a name."""
        return list(self._places.get(name, ()))

    def add(self, name: str, connection: Probed | None = None) -> Place:
        """Add a place."""

        def gone(place: Place) -> None:
            places = self._places[name]
            del places[place]
            if not places:
                del self._places[name]

        place = Place(gone, connection)
        self._places.setdefault(name, {})[place] = None
        return place


class Admission:
    """Gives places to connections, and refuses those beyond the limits; without a limit all are let in."""

    def __init__(
        self, *, per_identity: float = inf, per_address: float = inf, patience: float = ANSWER_SECONDS
    ) -> None:
        self._per_identity = per_identity
        self._per_address = per_address
        self.patience = patience
        self.identities = Counts()
        self.addresses = Counts()

    @classmethod
    def of(cls, settings: Settings) -> "Admission":
        """Take the limits of the settings."""
        return cls(
            per_identity=settings.connections_per_identity, per_address=settings.connections_per_address
        )

    def at_address(self, address: str) -> Place:
        """Give a place to one more connection of an address; raises RateLimited."""
        name = counted_as(address)
        if len(self.addresses.of(name)) >= self._per_address:
            raise RateLimited(
                f"This address has {self._per_address} connections already.", retry_after=self.patience
            )
        return self.addresses.add(name)

    async def of_identity(self, identity: str, connection: Probed) -> Place:
        """Give a place to one more connection of an identity; raises RateLimited.

        When there is none, the clients of the others are asked whether they are still there. Of those that
        have not answered after three seconds, the oldest is cut and makes room: it is most likely the one
        that comes back here, cut off by a network that did not tell. So nobody is locked out by the dead, and
        the living do not push each other out. Cancelling leaves nothing behind.
        """
        if len(others := self.identities.of(identity)) >= self._per_identity:
            await self._ask(identity, others)
            others = self.identities.of(identity)
        if len(others) >= self._per_identity:
            silent = next((p for p in others if p.connection is not None and p.connection.silent), None)
            if silent is None or silent.connection is None:
                raise RateLimited(
                    f"You have {self._per_identity} connections already; close one first.",
                    retry_after=self.patience,
                )
            silent.connection.abort(REPLACED)
            silent.leave()  # harmless when the end of its connection has done so
        return self.identities.add(identity, connection)

    async def _ask(self, identity: str, places: list[Place]) -> None:
        """Ask for signs of life, and wait until all have answered, one has gone, or it takes too long."""
        asked = [place.connection for place in places if place.connection is not None]
        for connection in asked:
            connection.probe()
        until = asyncio.get_running_loop().time() + self.patience
        while asyncio.get_running_loop().time() < until:
            await asyncio.sleep(CHECK_SECONDS)
            if len(self.identities.of(identity)) < self._per_identity:
                return
            if not any(connection.silent for connection in asked):
                return
