"""What waits to be announced: bounded, because Valkey may be slow or away. No I/O."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from server.rooms.entry import Entry

MAX_ANNOUNCEMENT = 256 * 1024  # more of one room is announced by its number
MAX_WAITING = 2 * 1024 * 1024  # more of all rooms too
MAX_ROOMS = 10_000  # more are found by reading


@dataclass(slots=True, eq=False)
class Ringing:
    """The newest entries of a room, or only their highest number."""

    n: int
    entries: list[Entry] = field(default_factory=list)
    size: int = 0


class Waiting:
    """Joins what waits by room.

    What was handed out is kept by number until a later beat has come back, for then Valkey had it. A break
    makes the rest wait again.
    """

    def __init__(self) -> None:
        self._rooms: OrderedDict[str, Ringing] = OrderedDict()
        self._loud: list[Ringing] = []  # those with entries
        self._size = 0
        self._fresh: dict[str, int] = {}  # handed out since the last beat
        self._older: dict[str, int] = {}  # before it

    def __bool__(self) -> bool:
        return bool(self._rooms)

    @property
    def size(self) -> int:
        """Return the bytes of the entries that wait."""
        return self._size

    def ring(self, room: str, entries: Sequence[Entry]) -> None:
        """Take entries of a room that are in the log."""
        found = self._rooms.get(room)
        if found is None:
            found = self._rooms[room] = Ringing(0)
            self._bound()
        if found.n == 0:
            self._loud.append(found)
        if found.n == 0 or found.entries:
            size = sum(entry.size for entry in entries)
            found.entries += entries
            found.size += size
            self._size += size
        found.n = max(found.n, entries[-1].n)
        if found.size > MAX_ANNOUNCEMENT:
            self._only_number(found)
        if self._size > MAX_WAITING:
            self._quieten()

    def number(self, room: str, n: int) -> None:
        """Take the highest number of a room, when its entries would be of no use."""
        found = self._rooms.setdefault(room, Ringing(n))
        found.n = max(found.n, n)
        self._only_number(found)
        self._bound()

    def take(self) -> list[tuple[str, Ringing]]:
        """Hand out everything that waits."""
        taken = list(self._rooms.items())
        self._rooms.clear()
        self._loud.clear()
        self._size = 0
        for room, ringing in taken:
            self._fresh[room] = max(ringing.n, self._fresh.get(room, 0))
        return taken

    def beat(self) -> None:
        """Note that a beat follows what was handed out."""
        self._older |= self._fresh
        self._fresh.clear()
        while len(self._older) > MAX_ROOMS:
            del self._older[next(iter(self._older))]

    def beaten(self) -> None:
        """Note that the last beat has come back: what went before it is with Valkey."""
        self._older.clear()

    def lost(self) -> None:
        """Have everything wait again whose fate is unknown."""
        for room, n in [*self._older.items(), *self._fresh.items()]:
            self.number(room, n)
        self._older.clear()
        self._fresh.clear()
        self._quieten()

    def _quieten(self) -> None:
        for ringing in self._loud:
            self._only_number(ringing)
        self._loud.clear()

    def _only_number(self, ringing: Ringing) -> None:
        self._size -= ringing.size
        ringing.entries, ringing.size = [], 0

    def _bound(self) -> None:
        while len(self._rooms) > MAX_ROOMS:
            _, dropped = self._rooms.popitem(last=False)
            self._only_number(dropped)
