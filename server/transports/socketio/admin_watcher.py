"""One watcher of the Admin UI: what it is still to be told, and who does not read."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from server.rooms.follower import LOW_WATER
from server.transports.socketio.admin_view import Shown, event, now
from server.transports.socketio.frames import Packet
from server.transports.socketio.outbox import SLOW
from server.transports.socketio.peer import Client

READ_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class AdminLimits:
    """How many may watch, how many sockets one event holds, and how many bytes may wait for one watcher."""

    watchers: int = 20
    batch: int = 100  # some 40 kB
    waiting: int = 8_000_000


class Watcher:
    """Sends as fast as the client reads; one that reads nothing for ten seconds, or falls behind, is cut."""

    def __init__(self, client: Client, limits: AdminLimits) -> None:
        self._client = client
        self._limits = limits
        self._socket = client.peer.socket
        self._queue: deque[Packet] = deque()
        self._waiting = 0
        self._news = asyncio.Event()
        self._shown: Sequence[Shown] = ()
        self._task: asyncio.Task[None] | None = None

    @property
    def begun(self) -> bool:
        """Tell whether it knows of the sockets, so that it has to be told only what changes."""
        return self._task is not None

    def begin(self, shown: Sequence[Shown]) -> None:
        """Tell of the sockets that there are; what is told later follows."""
        self._shown = shown
        self._task = asyncio.create_task(self._send(), name="admin watcher")

    def tell(self, packets: Sequence[Packet]) -> None:
        """Send packets, which all watchers share, after those that wait."""
        self._queue.extend(packets)
        self._waiting += sum(len(packet.data) for packet in packets)
        if self._waiting > self._limits.waiting:
            self._socket.abort(SLOW)
        self._news.set()

    def stop(self) -> None:
        """Send nothing more."""
        if self._task is not None:
            self._task.cancel()
        self._queue.clear()

    async def _send(self) -> None:
        for packet in _all(self._shown, self._limits.batch):
            await self._one(packet)
        self._shown = ()
        while not self._socket.closed:
            while self._queue:
                packet = self._queue.popleft()
                self._waiting -= len(packet.data)
                await self._one(packet)
            self._news.clear()
            await self._news.wait()

    async def _one(self, packet: Packet) -> None:
        outbox = self._socket.outbox
        outbox.send(packet)
        if outbox.size <= LOW_WATER:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(READ_SECONDS):
                await outbox.drained()
        except TimeoutError:
            self._socket.abort(SLOW)


def _all(shown: Sequence[Shown], batch: int) -> Iterator[Packet]:
    """Yield the first sockets as the list that replaces any other, and the rest as if they had just come."""
    yield from event("all_sockets", [one.described for one in shown[:batch]])
    for one in shown[batch:]:
        yield from event("socket_connected", one.described, now())
