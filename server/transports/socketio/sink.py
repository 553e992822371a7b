"""Where a follower's entries become frames: encoded once per entry, shared by all connections."""

from collections.abc import Callable, Sequence

from server.rooms.entry import Entry, Release, Sound
from server.transports.socketio.frames import Packet, header
from server.transports.socketio.outbox import Outbox

TAIL = b"]"


class SocketSink:
    """Writes one client's entries and private answers into its outbox.

    `tail` is for clients that recover: it returns what follows the number in the cursor strings of entries of
    one room (core §6), which then are a second argument of each entry's event.
    """

    __slots__ = ("_outbox", "_tail")

    def __init__(self, outbox: Outbox, *, tail: Callable[[Sequence[Entry]], bytes] | None = None) -> None:
        self._outbox = outbox
        self._tail = tail

    @property
    def size(self) -> int:
        """Return the bytes that wait for the client: the outbox's size, with one call less per delivery."""
        outbox = self._outbox
        wire = outbox.wire
        return outbox.held_bytes if wire is None else outbox.held_bytes + wire.get_write_buffer_size()

    def write(self, entries: Sequence[Entry]) -> None:
        """Send entries in order; over a WebSocket all of them in one write."""
        outbox = self._outbox
        if self._tail is not None:
            self._write_recoverable(entries, self._tail(entries))
        elif outbox.wire is None:
            for entry in entries:
                outbox.send(Packet(_prefix(entry) + TAIL))
        elif type(entries) is Release:
            if entries.frames is None:
                entries.frames = _frames(entries)
            outbox.write(entries.frames)
        else:
            outbox.write(_frames(entries))

    def answer(self, event: str, data: bytes) -> None:
        """Send an event without an offset to this client alone."""
        self._outbox.send(Packet(b'42["%b",%b]' % (event.encode(), data)))

    def sound(self, sound: Sound) -> None:
        """Send a piece of sound as an event with an attachment."""
        head = b'451-["%b",%b,"audio":{"_placeholder":true,"num":0}}]' % (
            sound.name.encode(),
            sound.head[:-1],
        )
        self._outbox.send(Packet(head))
        self._outbox.send(Packet(sound.audio, binary=True))

    def acknowledge(self, ack_id: bytes, data: bytes) -> None:
        """Send the answer to one of the client's events."""
        self._outbox.send(Packet(b"43%b[%b]" % (ack_id, data)))

    def release(self) -> None:
        """Let go of who makes the tails: nothing is written any more."""
        self._tail = None

    async def drained(self) -> None:
        """Return once little waits for the client, or it is gone. Cancelling is safe."""
        await self._outbox.drained()

    def abort(self, reason: str) -> None:
        """Cut the connection; the client resumes."""
        self._outbox.abort(reason)

    def _write_recoverable(self, entries: Sequence[Entry], tail: bytes) -> None:
        outbox = self._outbox
        if outbox.wire is None:
            for entry in entries:
                outbox.send(Packet(b'%b,"%d%b"]' % (_prefix(entry), entry.n, tail)))
            return
        parts: list[bytes] = []
        for entry in entries:
            prefix, end = _prefix(entry), b',"%d%b"]' % (entry.n, tail)
            parts += header(len(prefix) + len(end)), prefix, end
        outbox.write(b"".join(parts))


def _prefix(entry: Entry) -> bytes:
    """Return what the frames of an entry have in common, encoded once."""
    prefix = entry.frame
    if prefix is None:
        prefix = entry.frame = b'42["%b",%b' % (entry.name.encode(), entry.data)
    return prefix


def _frames(entries: Sequence[Entry]) -> bytes:
    """Return the frames of entries for clients without cursor strings."""
    return b"".join([part for entry in entries for part in _parts(entry)])


def _parts(entry: Entry) -> tuple[bytes, bytes, bytes]:
    prefix = _prefix(entry)
    return header(len(prefix) + len(TAIL)), prefix, TAIL
