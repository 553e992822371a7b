"""Pumps: tasks that serve who is behind, page by page, from memory or the log (core §3)."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from server.errors import Unavailable
from server.rooms.catching import PAGE_ENTRIES, entry
from server.rooms.entry import Entry
from server.rooms.follower import LOW_WATER, PAGE_BYTES, Follower, Sink
from server.rooms.room import Room
from server.store.entries import EntryStore

T = TypeVar("T")
UNDRAINED_SECONDS = 0.05
RETRY_SECONDS = 0.25


class Own(Protocol):
    """Runs work as a task that its owner cancels when it ends."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> asyncio.Task[T]: ...


class Pumps:
    """Serves followers that are behind, each by one task while it is; a page is read once for all."""

    def __init__(self, entries: EntryStore, *, own: Own) -> None:
        self._entries = entries
        self._own = own
        self._pumps: set[Follower] = set()
        self._reads: dict[tuple[str, int], asyncio.Task[list[Entry]]] = {}

    @property
    def followers(self) -> set[Follower]:
        """Return who is being served."""
        return set(self._pumps)

    def behind(self) -> set[str]:
        """Return the rooms in which somebody is behind."""
        return {name for follower in self._pumps for name in follower.behind}

    def wake(self, follower: Follower) -> None:
        """Serve a follower that has fallen behind; at most one task each."""
        if follower not in self._pumps:
            self._pumps.add(follower)
            self._own(self._pump(follower))

    async def _pump(self, follower: Follower) -> None:
        try:
            while follower.behind:
                if follower.sink.size > LOW_WATER:
                    await drained(follower.sink)
                    continue
                name, room = next(iter(follower.behind.items()))
                follower.behind[name] = follower.behind.pop(name)  # the others get their turn
                page = await self._page(room, follower.place(name))
                if page is None:
                    follower.sink.abort("place is gone")
                    return
                follower.page(room, page)
        finally:
            self._pumps.remove(follower)

    async def _page(self, room: Room, after: int) -> list[Entry] | None:
        """Read what follows a number, from memory if it is there; None when it is no longer kept."""
        recent = room.newer(after, limit=PAGE_ENTRIES, budget=PAGE_BYTES)
        if recent is not None:
            return recent
        key = (room.name, after)
        if key not in self._reads:
            self._reads[key] = self._own(self._read(room, after))
        try:
            page = await asyncio.shield(self._reads[key])
        except Unavailable:
            await asyncio.sleep(RETRY_SECONDS)
            return []
        if page:
            return page if page[-1].n == after + len(page) else None
        await asyncio.sleep(RETRY_SECONDS)  # no majority has it yet, or it is no longer kept
        return None if await self._floor(room) > after else []

    async def _floor(self, room: Room) -> int:
        try:
            return await self._entries.floor(room.name)
        except Unavailable:
            return 0

    async def _read(self, room: Room, after: int) -> list[Entry]:
        try:
            rows = await self._entries.page(room.name, after=after, upto=room.head, limit=PAGE_ENTRIES)
        finally:
            del self._reads[room.name, after]
        page: list[Entry] = []
        budget = PAGE_BYTES
        for row in rows:
            page.append(entry(row))
            budget -= page[-1].size
            if budget < 0:
                break
        return page


async def drained(sink: Sink) -> None:
    """Wait until a client has read, or a moment when it is gone; look then whether it is forgotten."""
    await sink.drained()
    if sink.size > LOW_WATER:
        await asyncio.sleep(UNDRAINED_SECONDS)
