"""One entry of a room's log as it is handed to followers."""

from collections.abc import Iterable
from dataclasses import dataclass

from server.rooms.families import wire_name


class Entry:
    """An entry, shared by all followers; `data` is the wire payload with room, offset and at.

    `room` is its name in the log; in `data` stands the name by which clients know it.
    `frame` is a memo for the transport that fans out: it encodes an entry once for all its connections.
    """

    __slots__ = ("_payload", "at", "data", "frame", "n", "name", "room", "w")

    def __init__(self, *, room: str, n: int, w: str, at: int, name: str, j: bytes) -> None:
        self.room = room
        self.n = n
        self.w = w
        self.at = at
        self.name = name
        self._payload = len(j) - 1
        comma = b"," if len(j) > 2 else b""
        known_as = wire_name(room).encode()
        self.data = b'%b%b"room":"%b","offset":%d,"at":%d}' % (j[:-1], comma, known_as, n, at)
        self.frame: bytes | None = None

    @property
    def size(self) -> int:
        """Return the length of the payload in bytes."""
        return len(self.data)

    @property
    def j(self) -> bytes:
        """Return the payload as it is stored, cut out of `data`: only the bell needs it."""
        return self.data[: self._payload] + b"}"

    def __repr__(self) -> str:
        return f"Entry({self.room}@{self.n} {self.name})"


class Release(list[Entry]):
    """Entries that a room releases together: the same list for every follower.

    `frames` is a memo for the transport that fans out: it encodes a release once for all its connections.
    """

    __slots__ = ("frames",)

    def __init__(self, entries: Iterable[Entry]) -> None:
        super().__init__(entries)
        self.frames: bytes | None = None


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of sound; `head` is its event's payload as JSON, without the `audio` that goes with it."""

    room: str
    name: str
    head: bytes
    audio: bytes
