"""A room in a process: releases entries in order to its live followers (core §2). No I/O."""

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from server.rooms.entry import Entry, Release

RING_ENTRIES = 512
RING_BYTES = 256 * 1024
PUSH_BYTES = 16 * 1024


class Live(Protocol):
    """What a room needs of a follower."""

    def push(self, room: "Room", entries: list[Entry]) -> None:
        """Take entries just released, in order: the same list for every follower."""


class Room:
    """The highest number released here (`head`), the newest entries, and who is live.

    Everything happens in one tick: between two awaits of the caller nobody sees a half-done step.
    """

    __slots__ = ("_pending", "_ring_bytes", "head", "live", "name", "ring")

    def __init__(self, name: str, head: int) -> None:
        self.name = name
        self.head = head
        self.ring: deque[Entry] = deque()
        self.live: dict[Live, None] = {}
        self._ring_bytes = 0
        self._pending: dict[int, Entry] = {}

    @property
    def waiting(self) -> bool:
        """Tell whether an entry was heard before its predecessor: the log must be read."""
        return bool(self._pending)

    def offer(self, entries: Iterable[Entry]) -> int:
        """Take entries in any order, any number of times; release what is next. Return how many."""
        for entry in entries:
            if entry.n > self.head:
                self._pending.setdefault(entry.n, entry)
        released: list[Entry] = []
        while (entry_or_none := self._pending.pop(self.head + 1, None)) is not None:
            self.head += 1
            released.append(entry_or_none)
        if released:
            self._remember(released)
            for part in _parts(released):
                for follower in list(self.live):
                    follower.push(self, part)
        return len(released)

    def newer(self, after: int, *, limit: int, budget: int) -> list[Entry] | None:
        """Return the entries after a number from memory, within limits; None when the log must be read."""
        if after >= self.head:
            return []
        if not self.ring or self.ring[0].n > after + 1:
            return None
        start = after + 1 - self.ring[0].n
        page: list[Entry] = []
        for index in range(start, min(start + limit, len(self.ring))):
            entry = self.ring[index]
            budget -= entry.size
            if page and budget < 0:
                break
            page.append(entry)
        return page

    def _remember(self, entries: list[Entry]) -> None:
        self.ring.extend(entries)
        self._ring_bytes += sum(e.size for e in entries)
        while len(self.ring) > RING_ENTRIES or (self._ring_bytes > RING_BYTES and len(self.ring) > 1):
            self._ring_bytes -= self.ring.popleft().size


def _parts(entries: list[Entry]) -> list[Release]:
    """Cut what is released at once, so that one push cannot take a follower far above its high water."""
    parts: list[Release] = []
    left = 0
    for entry in entries:
        left -= entry.size
        if left < 0:
            parts.append(Release(()))
            left = PUSH_BYTES - entry.size
        parts[-1].append(entry)
    return parts
