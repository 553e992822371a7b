"""Signs of life on the socket of a batch job: a slow reader gives some, the dead do not."""

import asyncio
from math import inf

from server.transports.wire import acknowledged
from server.transports.ws_batch_socket import JobSocket


class Signs:
    """Looks whether a client is there: it has said something, answered a ping, or taken some bytes.

    Who reads slowly answers a ping late, for it stands behind what was sent before. So whatever its system
    acknowledges is a sign too, and a ping is sent only when nothing waits.
    """

    def __init__(self, ws: JobSocket, wire: asyncio.Transport, *, every: float, silence: float) -> None:
        self._ws = ws
        self._wire = wire
        self._every = every
        self._silence = silence
        self._seen = self._asked = self._now()
        self._taken: int | None = None
        self.owed = False

    def heard(self) -> None:
        """Note that the client has sent something."""
        self._seen = self._now()
        self.owed = False

    def probe(self) -> None:
        """Ask the client at the next look."""
        if not self.owed:
            self.owed = True
            self._asked = -inf

    async def look(self) -> bool:
        """Tell whether the client has given a sign lately, and ask it for one if it is time."""
        now, taken = self._now(), acknowledged(self._wire)
        if taken is not None and taken != self._taken:
            self._seen = now
        self._taken = taken
        if now - self._asked >= self._every and not self._wire.get_write_buffer_size():
            self._asked = now
            await self._ws.ping()
        return now - self._seen < self._silence

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
