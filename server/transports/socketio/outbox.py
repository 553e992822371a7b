"""The only writer of a connection (core §4): what is written when, and who is too slow. No I/O of its own."""

from collections.abc import Callable
from typing import Protocol

from server.transports.socketio.frames import CLOSE, NOOP, PROBED, Packet, frame

HIGH_WATER = 64 * 1024
HARD_CAP = 1_000_000
STALL_SECONDS = 5.0
POLL_PACKETS = 16
POLL_BYTES = 64 * 1024
SLOW = "slow consumer"
REPLACED = "replaced"  # by a newer connection, which needs what the older one had


class Wire(Protocol):
    """What is needed of a WebSocket's transport."""

    def write(self, data: bytes) -> None:
        """Send bytes, buffering what the peer does not take; never blocks."""

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the peer has not taken yet."""

    def is_closing(self) -> bool:
        """Tell whether the transport is closed or closing; then writing may raise."""


class Owner(Protocol):
    """Who runs the connection of an outbox."""

    def now(self) -> float:
        """Return seconds of a monotonic clock."""

    def watch(self) -> None:
        """Call `tick` about every second until it returns False."""

    def cut(self, reason: str) -> None:
        """Abort the connection's transports at once; called within `abort`."""

    async def drained(self) -> None:
        """Return once little waits for the client, or it is gone; cancelling is safe."""


class Nobody:
    """Owns an outbox that is closed: it lets its connection go."""

    def now(self) -> float:
        """Return no time."""
        return 0.0

    def watch(self) -> None:
        """Watch nothing."""

    def cut(self, reason: str) -> None:
        """Cut nothing."""

    async def drained(self) -> None:
        """Wait for nobody."""


NOBODY = Nobody()


class Outbox:
    """Sends packets in order over a WebSocket, or holds them for polling and for the end of an upgrade.

    Synchronous: what a call writes is written at its end. After `close` or `abort` everything is dropped.
    `wire` is the WebSocket once one is open and its upgrade is done, `held_bytes` what waits here; both are
    for reading only. `taken` is called when some of what was held is held no more.
    """

    __slots__ = (
        "_candidate", "_held", "_owner", "_since", "_taken", "_total", "_waiting", "_watching", "closed",
        "held_bytes", "taken", "wire",
    )  # fmt: skip

    def __init__(self, owner: Owner) -> None:
        self._owner: Owner = owner
        self.wire: Wire | None = None
        self._candidate: Wire | None = None
        self._held: list[Packet] = []
        self.held_bytes = 0
        self._waiting: Callable[[], None] | None = None
        self.taken: Callable[[], None] | None = None
        self._total = 0  # bytes sent since the client is watched, and what waited then
        self._taken = 0
        self._since = 0.0
        self._watching = False
        self.closed = False

    @property
    def size(self) -> int:
        """Return the bytes that wait for the client, here and in the transport."""
        if self.wire is not None:
            return self.held_bytes + self.wire.get_write_buffer_size()
        return self.held_bytes

    @property
    def direct(self) -> bool:
        """Tell whether frames may be written: a WebSocket is open and no upgrade is going on."""
        return self.wire is not None and not self.closed

    @property
    def quiet(self) -> bool:
        """Tell whether nothing waits for the client, and a client that polls waits for what comes."""
        return not self.size and (self.wire is not None or self._waiting is not None)

    @property
    def upgrading(self) -> bool:
        """Tell whether an upgrade has been probed and is not finished."""
        return self._candidate is not None

    def send(self, packet: Packet) -> None:
        """Send one packet, now or when the client can take it."""
        if self.closed:
            return
        if self.wire is not None:
            self.write(frame(packet))
            return
        self._held.append(packet)
        self.held_bytes += len(packet.data)
        self._total += len(packet.data)
        if self._waiting is not None:
            self._waiting()
        self._weigh()

    def write(self, frames: bytes) -> None:
        """Write prebuilt WebSocket frames; only while `direct`. This is the path of every delivery."""
        wire = self.wire
        if wire is None:
            raise RuntimeError("frames were written to a connection that is not a WebSocket")
        if not self.closed and not wire.is_closing():
            wire.write(frames)
            if self._watching:
                self._total += len(frames)
            if wire.get_write_buffer_size() > HIGH_WATER:
                self._weigh()

    def poll(self, wake: Callable[[], None]) -> bool:
        """Open a GET; `wake` is called, perhaps repeatedly, when `take` has an answer. False: one is open."""
        if self._waiting is not None:
            return False
        self._waiting = wake
        if self._held or self.upgrading or self.wire is not None or self.closed:
            wake()
        return True

    def take(self) -> list[Packet]:
        """Answer the open GET with what is held, within limits, or with a no-op."""
        self._waiting = None
        count = size = 0
        for packet in self._held[:POLL_PACKETS]:
            size += len(packet.data)
            if count and size > POLL_BYTES:
                break
            count += 1
        taken = self._held[:count]
        del self._held[:count]
        self.held_bytes -= sum(len(p.data) for p in taken)
        if self.taken is not None:
            self.taken()
        return taken or [NOOP]

    def open(self, wire: Wire) -> None:
        """Use a WebSocket from the start."""
        self.wire = wire

    def probe(self, wire: Wire) -> None:
        """Answer the probe of an upgrade: from now on all is held, and GETs are released."""
        if self.wire is not None or self._candidate is not None or self.closed:
            raise RuntimeError("an upgrade was probed twice or too late")
        self._candidate = wire
        wire.write(frame(PROBED))
        if self._waiting is not None:
            self._waiting()

    def upgrade(self) -> None:
        """Finish an upgrade: what was held goes first, then everything directly."""
        if self._candidate is None:
            raise RuntimeError("an upgrade was finished that had not been probed")
        self.wire, self._candidate = self._candidate, None
        held, self._held = self._held, []
        frames = b"".join(frame(packet) for packet in held)
        self._total += len(frames) - self.held_bytes
        self.held_bytes = 0
        if frames and not self.wire.is_closing():
            self.wire.write(frames)
        if self.taken is not None:
            self.taken()
        self._weigh()

    def fall_back(self) -> None:
        """Give an upgrade up: polling goes on and what was held is still there."""
        self._candidate = None

    def tick(self) -> bool:
        """Look after a client that was too slow; False when there is nothing to watch any more."""
        size = self.size
        if self.closed or size <= HIGH_WATER:
            self._watching = False
            return False
        taken, now = self._total - size, self._owner.now()
        if taken > self._taken:
            self._taken, self._since = taken, now
        elif now - self._since >= STALL_SECONDS:
            self.abort(SLOW)
            return False
        return True

    def close(self, last: Packet | None = None) -> None:
        """Send a last packet and take no more; what is held can still be fetched by the open GET."""
        if last is not None:
            self.send(last)
        self.closed, self._owner = True, NOBODY
        self._tell()

    def abort(self, reason: str) -> None:
        """Drop what waits and cut the connection; an open GET is told that it is closed."""
        if self.closed:
            return
        self.closed = True
        self._held, self.held_bytes = [CLOSE], len(CLOSE.data)
        self._tell()
        owner, self._owner = self._owner, NOBODY
        owner.cut(reason)

    async def drained(self) -> None:
        """Return once little waits for the client, or it is gone. Cancelling is safe."""
        await self._owner.drained()

    def _tell(self) -> None:
        """Tell whoever waits that the connection has ended."""
        for wake in (self._waiting, self.taken):
            if wake is not None:
                wake()

    def _weigh(self) -> None:
        size = self.size
        if size <= HIGH_WATER:
            return
        if size > HARD_CAP:
            self.abort(SLOW)
        elif not self._watching:
            self._watching = True
            self._total, self._taken, self._since = size, 0, self._owner.now()
            self._owner.watch()
