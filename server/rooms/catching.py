"""Reads rooms up that may have missed something: many rooms with one read (core §2.3, §2.4)."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

from server.errors import Unavailable
from server.rooms.entry import Entry
from server.rooms.room import Room
from server.store.entries import EntryStore, Row

GATHER_SECONDS = 0.02
RETRY_SECONDS = 0.25
ROOMS = 100
PAGE_ENTRIES = 300


@dataclass(slots=True)
class Loading:
    """What was heard of a room since its top is being read; `unsure` when more may have been missed."""

    entries: list[Entry] = field(default_factory=list)
    unsure: bool = False


class CatchUp:
    """Reads what follows the heads of rooms and offers it to them.

    `gone` is called for a room whose next entries are no longer kept.
    """

    def __init__(
        self,
        entries: EntryStore,
        *,
        own: Callable[[Coroutine[Any, Any, None]], object],
        offer: Callable[[Room, list[Entry]], None],
        gone: Callable[[Room], None],
    ) -> None:
        self._entries = entries
        self._own = own
        self._offer = offer
        self._gone = gone
        self._wanted: dict[Room, None] = {}
        self._reading = False

    def want(self, room: Room) -> None:
        """Read a room 20 ms from now, with whatever else is wanted by then."""
        self._wanted[room] = None
        if not self._reading:
            self._reading = True
            self._own(self._run())

    async def read(self, rooms: Collection[Room]) -> None:
        """Read rooms to their ends; raises Unavailable."""
        left = iter(rooms)
        while part := list(islice(left, ROOMS)):
            await self._read(part)

    async def _run(self) -> None:
        try:
            while self._wanted:
                await asyncio.sleep(GATHER_SECONDS)
                wanted, self._wanted = self._wanted, {}
                try:
                    await self.read(wanted)
                except Unavailable:
                    self._wanted = wanted | self._wanted
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._reading = False

    async def _read(self, part: list[Room]) -> None:
        rooms = {room.name: room for room in part}
        while rooms:
            heads = {name: room.head for name, room in rooms.items()}
            rows = await self._entries.newer(heads, limit=PAGE_ENTRIES)
            for name, found in groupby(rows, lambda row: row.room):
                if not self._hand_over(rooms[name], [entry(row) for row in found]):
                    del rooms[name]  # its head stays where it is: reading on would find the same for ever
            if len(rows) < PAGE_ENTRIES:
                return
            # what is sorted before the last one was read to its end
            rooms = {name: room for name, room in rooms.items() if name.encode() >= rows[-1].room.encode()}

    def _hand_over(self, room: Room, entries: list[Entry]) -> bool:
        """Offer entries to their room; False when its next entries are no longer kept."""
        if entries[0].n > room.head + 1:
            self._gone(room)
            return False
        self._offer(room, entries)
        return True


def entry(row: Row) -> Entry:
    """Return a stored entry as it is handed to followers."""
    return Entry(room=row.room, n=row.n, w=row.w, at=row.at, name=row.name, j=row.j.encode())
