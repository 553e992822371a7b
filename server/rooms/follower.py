"""A connection's cursors over the rooms it follows: live (pushed) or behind (pulled) (core §3). No I/O."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from server.rooms.entry import Entry, Sound
from server.rooms.room import Room

HIGH_WATER = 64 * 1024
LOW_WATER = 16 * 1024
PAGE_ENTRIES = 300
PAGE_BYTES = 64 * 1024


class Sink(Protocol):
    """Where a follower writes; its transport's one writer."""

    @property
    def size(self) -> int:
        """Return the bytes that wait for the client."""

    def write(self, entries: Sequence[Entry]) -> None:
        """Send entries of one room, in order; never blocks."""

    def answer(self, event: str, data: bytes) -> None:
        """Send an event without an offset to this client alone."""

    def sound(self, sound: Sound) -> None:
        """Send a piece of sound without an offset to this client alone."""

    def abort(self, reason: str) -> None:
        """Cut the connection; the client resumes."""

    async def drained(self) -> None:
        """Return once no more than `LOW_WATER` waits, or the client is gone. Cancelling is safe."""


@dataclass(frozen=True, slots=True)
class Marker:
    """A private answer that is due once the cursor has reached a number."""

    n: int
    event: str
    data: bytes


class Follower:
    """Follows rooms for one sink; `wake` is called when a room has fallen behind and needs its pump.

    Exactly the entries after a cursor are written, each once, in order. `push` and `page` run in one tick:
    what was written, the cursor, and whether the room is live change together. The cursor of a live room is
    its head, so that a delivery has nothing to note; that of a room which is behind is kept here.
    """

    __slots__ = ("_markers", "_places", "_until", "_wake", "behind", "closed", "hears", "rooms", "sink")

    def __init__(self, sink: Sink, wake: Callable[["Follower"], None]) -> None:
        self.sink = sink
        self.rooms: dict[str, Room] = {}
        self.behind: dict[str, Room] = {}
        self.closed = False
        self.hears: frozenset[str] = (
            frozenset()
        )  # the rooms whose sound is wanted, as long as they are followed
        self._places: dict[str, int] = {}
        self._wake = wake
        self._markers: dict[str, Marker] | None = None
        self._until: dict[str, frozenset[str]] | None = None

    @property
    def cursors(self) -> dict[str, int]:
        """Return up to where each room has been written."""
        places = self._places
        return {name: places.get(name, room.head) for name, room in self.rooms.items()}

    def place(self, room: str) -> int:
        """Return up to where a room has been written that is behind."""
        return self._places[room]

    def follow(self, room: Room, cursor: int, *, marker: Marker | None = None) -> None:
        """Start after `cursor`; `marker` is answered when its number has been written.

        Does nothing when the room is followed already, or when the client is gone.
        """
        if room.name in self.rooms or self.closed:
            return
        self.rooms[room.name] = room
        if marker is not None:
            self._markers = {**(self._markers or {}), room.name: marker}
        if cursor == room.head:
            room.live[self] = None
        else:
            self._fall_behind(room, cursor)
        # due already when it begins there, whatever came since the place was found
        self._mark(room.name, cursor)

    def leave_after(self, room: str, events: frozenset[str]) -> None:
        """Leave a room by itself once one of these events has been written."""
        if room in self.rooms:
            self._until = {**(self._until or {}), room: events}

    def stay(self, room: str) -> None:
        """Keep following a room that would have been left by itself."""
        if self._until is not None:
            self._until.pop(room, None)

    def leaves_by_itself(self, room: str) -> bool:
        """Tell whether a room is followed only until one of some events."""
        return self._until is not None and room in self._until

    def listen(self, room: str) -> None:
        """Want the sound of a room, until it is left."""
        if room in self.rooms:
            self.hears |= {room}

    def leave(self, room: Room) -> bool:
        """Stop following; False when it was not followed."""
        room.live.pop(self, None)
        self._drop(room.name)
        return self.rooms.pop(room.name, None) is not None

    def close(self) -> None:
        """Follow nothing any more; the caller takes the follower out of its rooms."""
        self.closed = True
        self.behind.clear()
        self.rooms.clear()
        self.hears = frozenset()
        self._places.clear()

    def push(self, room: Room, entries: list[Entry]) -> None:
        """Write entries that were just released, or fall behind when the client is slow."""
        if self.closed:
            return  # in this very tick
        if self.sink.size > HIGH_WATER:
            self._fall_behind(room, entries[0].n - 1)
        elif self._markers or self._until:
            self._write_watching(room, entries)
        else:
            self.sink.write(entries)

    def page(self, room: Room, entries: Sequence[Entry]) -> None:
        """Write a page that was read after the cursor; at the head the room is live again."""
        if self.behind.get(room.name) is not room:
            return
        place = self._places[room.name]
        fresh = [e for e in entries if e.n > place]
        if fresh and fresh[0].n != place + 1:
            return  # the room was left and joined again elsewhere while the page was read
        if fresh:
            self._places[room.name] = place = fresh[-1].n  # first, because a write may end in an abort
            self._write(room, fresh)
        if place == room.head and self.behind.pop(room.name, None) is not None:
            del self._places[room.name]
            room.live[self] = None
            self._mark(room.name, place)

    def _write(self, room: Room, entries: Sequence[Entry]) -> None:
        if self._markers or self._until:
            self._write_watching(room, entries)
        else:
            self.sink.write(entries)

    def _write_watching(self, room: Room, entries: Sequence[Entry]) -> None:
        """Write one by one, so that markers and leaving happen at their exact place."""
        for entry in entries:
            self.sink.write((entry,))
            if room.name not in self.rooms:
                return
            self._mark(room.name, entry.n)
            if self._until and entry.name in self._until.get(room.name, ()):
                self.leave(room)
                return

    def _mark(self, room: str, cursor: int) -> None:
        if self._markers and (marker := self._markers.get(room)) and cursor >= marker.n:
            del self._markers[room]
            self.sink.answer(marker.event, marker.data)

    def _fall_behind(self, room: Room, cursor: int) -> None:
        room.live.pop(self, None)
        self.behind[room.name] = room
        self._places[room.name] = cursor
        self._wake(self)

    def _drop(self, room: str) -> None:
        if room in self.hears:
            self.hears -= {room}
        self.behind.pop(room, None)
        self._places.pop(room, None)
        if self._markers is not None:
            self._markers.pop(room, None)
        if self._until is not None:
            self._until.pop(room, None)
