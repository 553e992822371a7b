"""Snapshots: folds of a room's log up to an offset (core §9)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import structlog

from server.errors import Internal, TooLarge, Unavailable
from server.rooms.families import FAMILIES, family
from server.rooms.folds import Fold
from server.rooms.room import Room
from server.store.entries import EntryStore

log = structlog.get_logger(__name__)
CHECKPOINT_ENTRIES = 500
PAGE = 500
Base = Callable[[str], Awaitable[dict[str, Any]]]
State = dict[str, Any]


class Behind(Unavailable):
    """This room is being read up; try again soon."""


class Cached:
    """A fold that is kept while its room is loaded."""

    __slots__ = ("lock", "n", "saved", "state")

    def __init__(self, n: int, state: State) -> None:
        self.n = n
        self.state = state
        self.saved = n
        self.lock = asyncio.Lock()


class Snapshots:
    """Folds rooms on demand; `bases` give what is fixed at a room's creation, by family.

    A snapshot at S is the base and the fold of entries 1…S: it never disagrees with the entries that follow.
    """

    def __init__(self, entries: EntryStore, bases: dict[str, Base], *, epoch: Callable[[], str]) -> None:
        self._entries = entries
        self._epoch = epoch
        self._bases = bases
        self._cache: dict[str, Cached] = {}

    async def take(self, room: Room) -> tuple[int, State]:
        """Return (S, snapshot) with S at least the head at the time of the call; raises Unavailable.

        Raises Behind when only a fold past the head is kept: the room has to be read up first.
        """
        fold = FAMILIES[family(room.name)].fold
        cached = await self._cached(room, fold)
        async with cached.lock:
            await self._advance(room, cached, fold)
            state = fold.show(cached.state)
            offset = cached.n
        base = self._bases.get(family(room.name))
        fixed = await base(room.name) if base else {}
        return offset, {"offset": offset, **fixed, **state}

    async def put_away(self, room: Room) -> None:
        """Store the fold of a room that is being unloaded."""
        cached = self._cache.pop(room.name, None)
        if cached is not None and cached.n > cached.saved:
            await self._entries.save_checkpoint(room.name, cached.n, cached.state, epoch=self._epoch())

    async def store(self, room: Room) -> int:
        """Store the fold of a room up to its head and return that offset; raises Unavailable."""
        cached = await self._cached(room, fold := FAMILIES[family(room.name)].fold)
        async with cached.lock:
            await self._advance(room, cached, fold)
            await self._entries.save_checkpoint(room.name, cached.n, cached.state, epoch=self._epoch())
            cached.saved = cached.n
            return cached.n

    def clear(self) -> None:
        """Forget all folds, because the log's epoch has changed."""
        self._cache.clear()

    async def _cached(self, room: Room, fold: Fold) -> Cached:
        if room.name not in self._cache:
            stored = await self._entries.checkpoint(room.name, epoch=self._epoch())
            if stored is not None and stored[0] > room.head:
                stored = None  # by a process that has heard more: a snapshot past the head would hide entries
            self._cache.setdefault(room.name, Cached(*(stored or (0, fold.initial()))))
        return self._cache[room.name]

    async def _advance(self, room: Room, cached: Cached, fold: Fold) -> None:
        head = room.head
        while cached.n < head:
            rows = await self._entries.page(room.name, after=cached.n, upto=head, limit=PAGE)
            if not rows or rows[0].n != cached.n + 1:
                if await self._skip(room, cached):
                    continue
                if not rows:
                    return
                log.error("fold lost", room=room.name, folded=cached.n, first=rows[0].n)
                raise Internal("The beginning of this room is gone; please report it.")
            for row in rows:
                if row.n != cached.n + 1:
                    break  # what lies between was forgotten while the page was read
                fold.step(cached.state, row.name, orjson.loads(row.j))
                cached.n = row.n
            if cached.n - cached.saved >= CHECKPOINT_ENTRIES:
                await self._save(room, cached)

    async def _skip(self, room: Room, cached: Cached) -> bool:
        """Go on from the stored fold: before entries are forgotten, a process stores one past them.

        False when there is none past the cached one; raises Behind when it is past the head.
        """
        stored = await self._entries.checkpoint(room.name, epoch=self._epoch())
        if stored is None or stored[0] <= cached.n:
            return False
        if stored[0] > room.head:
            raise Behind
        cached.n, cached.state = stored
        cached.saved = cached.n
        return True

    async def _save(self, room: Room, cached: Cached) -> None:
        """Store a fold that has grown; one that is too large to be stored is still shown."""
        try:
            await self._entries.save_checkpoint(room.name, cached.n, cached.state, epoch=self._epoch())
        except TooLarge:
            log.warning("fold not stored; it is too large", room=room.name, folded=cached.n)
        cached.saved = cached.n  # also then: it is tried again only after as many entries
