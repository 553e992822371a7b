"""The one writer of an event stream: Server-Sent Events, written straight to the transport (socket-v5 §1)."""

import asyncio
import base64
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog
from aiohttp.abc import AbstractStreamWriter

from server.rooms.entry import Entry, Sound
from server.rooms.follower import LOW_WATER
from server.transports.expiry import Expiry
from server.transports.socketio.outbox import Outbox
from server.transports.wire import acknowledged, bound, end, give_up_on_silence

log = structlog.get_logger(__name__)
COMMENT_SECONDS = 15.0
WATCH_SECONDS = 1.0
COMMENT = b":\n\n"
LAST_CHUNK = b"0\r\n\r\n"


def no_tail(entries: Sequence[Entry]) -> bytes:
    """Return nothing, for streams whose ids are of no use."""
    return b""


class EventStream:
    """The sink of one stream: what a tick writes is with the transport at its end, as for a WebSocket.

    Who is too slow is told by the outbox, the same for all transports. `tail` returns what follows the number
    in the ids of entries of one room. Without a transport it is a stream that has ended.
    """

    def __init__(
        self,
        wire: asyncio.Transport | None,
        *,
        chunked: bool = True,
        tail: Callable[[Sequence[Entry]], bytes] = no_tail,
    ) -> None:
        self._wire = wire
        self._writer: AbstractStreamWriter | None = None
        self._chunked = chunked
        self._tail = tail
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox(self)
        self._over = asyncio.Event()
        self._silent_since = self._loop.time()
        self._timers: list[asyncio.TimerHandle] = []
        self.expiry = Expiry(tell=self.answer, end=self.finish)
        self._acknowledged: int | None = None  # when it was probed, if something was not then
        self.reason = "transport close"  # why it ended, once it has
        if wire is None:
            self._outbox.close()
            self.expiry.stop()
            return
        bound(wire)
        give_up_on_silence(wire)
        wire.set_write_buffer_limits(high=LOW_WATER, low=LOW_WATER)  # for `drained`
        self._outbox.open(wire)

    @property
    def size(self) -> int:
        """Return the bytes that wait for the client."""
        return self._outbox.size

    def write(self, entries: Sequence[Entry]) -> None:
        """Send entries of one room; each with the cursors of all rooms as its id."""
        if self._outbox.closed:
            return
        tail = self._tail(entries)
        self._send(
            b"".join(
                [b"event: %b\ndata: %b\nid: %d%b\n\n" % (e.name.encode(), e.data, e.n, tail) for e in entries]
            )
        )

    def answer(self, event: str, data: bytes) -> None:
        """Send an event without an id."""
        self._send(b"event: %b\ndata: %b\n\n" % (event.encode(), data))

    def sound(self, sound: Sound) -> None:
        """Send a piece of sound; `audio` is in base64."""
        audio = base64.b64encode(sound.audio)
        self._send(b'event: %b\ndata: %b,"audio":"%b"}\n\n' % (sound.name.encode(), sound.head[:-1], audio))

    async def drained(self) -> None:
        """Return once little waits for the client, or it is gone. Cancelling is safe."""
        if self._writer is not None:
            with suppress(ConnectionError):
                await self._writer.drain()

    def abort(self, reason: str) -> None:
        """Cut the stream; the client comes back with its cursors."""
        self._outbox.abort(reason)

    def retry(self, seconds: float) -> None:
        """Have the client wait so long before it opens its next stream."""
        self._send(b"retry: %d\n\n" % round(seconds * 1000))

    def finish(self, reason: str) -> None:
        """End the stream after what was written; a client that does not read is cut after a moment."""
        if self._wire is not None and not self._outbox.closed:
            self.reason = reason
            self._outbox.close()
            end(self._wire, LAST_CHUNK if self._chunked else b"")
        self._tail = no_tail  # what makes the tails holds this stream
        self._over.set()

    def expire(self, at: float | None) -> None:
        """Tell the client when its token ends, in epoch seconds, and finish some seconds later.

        Called again, the last time holds: a newer token may come in those seconds too.
        """
        self.expiry.at(None if self._ended else at)

    async def run(self, writer: AbstractStreamWriter) -> None:
        """Return when the client is gone or the stream has ended."""
        self._writer = writer
        self._look()
        try:
            await self._over.wait()
        finally:
            self._outbox.close()
            self.expiry.stop()
            for timer in self._timers:
                timer.cancel()

    def probe(self) -> None:
        """Write something: what is not acknowledged ends the stream after a while.

        The client's system acknowledges, without the client; a proxy answers for both.
        """
        if self._ended or self.silent or self._wire is None:
            return
        self._send(COMMENT)
        self._acknowledged = acknowledged(self._wire)

    @property
    def silent(self) -> bool:
        """Tell whether nothing has been acknowledged since the probe."""
        if self._acknowledged is None or self._wire is None or self._outbox.closed:
            return False
        return acknowledged(self._wire) == self._acknowledged

    def now(self) -> float:
        """Return the loop's time, for the outbox."""
        return self._loop.time()

    def watch(self) -> None:
        """Look at the outbox every second while it asks for it."""
        self._later(WATCH_SECONDS, self._tick)

    def cut(self, reason: str) -> None:
        """Abort the connection, for the outbox; use `abort` from outside."""
        self.reason = reason
        log.info("stream cut", reason=reason)
        if self._wire is not None:
            self._wire.abort()
        self._over.set()

    @property
    def _ended(self) -> bool:
        return self._outbox.closed or self._wire is None or self._wire.is_closing()

    def _send(self, frame: bytes) -> None:
        if self._outbox.closed:
            return
        self._silent_since = self._loop.time()
        self._outbox.write(b"%x\r\n%b\r\n" % (len(frame), frame) if self._chunked else frame)

    def _look(self) -> None:
        """Notice that the client is gone, and comment on a stream that is silent."""
        if self._ended:
            self._over.set()
            return
        if self._loop.time() - self._silent_since >= COMMENT_SECONDS:
            self._send(COMMENT)
        self._later(WATCH_SECONDS, self._look)

    def _tick(self) -> None:
        if self._outbox.tick():
            self.watch()

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        now = self._loop.time()
        self._timers = [timer for timer in self._timers if timer.when() > now and not timer.cancelled()]
        self._timers.append(self._loop.call_later(seconds, call))
