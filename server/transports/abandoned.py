"""Which stored sessions nobody comes back to, and when they are removed (core §6)."""

from server.rooms.process import Process
from server.store.sessions import SessionStore

WITHIN_SECONDS = 120  # a client comes back to its session, or to a process that was killed


class Abandoned:
    """Removes sessions of sockets, or those over HTTP, after two minutes without a client.

    A process that lives removes its own, for it alone knows which are in use while the database is away. For
    the dead any other does. After such a time a process that lost its own lease removes nothing until its
    next sweep: the others have to beat first.
    """

    def __init__(self, store: SessionStore, process: Process, *, sockets: bool) -> None:
        self._store = store
        self._process = process
        self._sockets = sockets
        self._lease = process.lease

    async def remove(self) -> None:
        """Remove them, after the own ones in use were noted as such; raises Unavailable."""
        if not self._process.holds(self._lease):
            self._lease = self._process.lease
            return
        others = await self._process.living(within=WITHIN_SECONDS) - {self._process.name}
        await self._store.expire(WITHIN_SECONDS, sparing=others, sockets=self._sockets)
