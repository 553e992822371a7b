"""Forgets old entries: whole rooms some days after their end, the oldest ones of endless rooms (core §8)."""

import asyncio

import structlog

from server.errors import Unavailable
from server.rooms.families import is_endless
from server.rooms.hub import Hub
from server.rooms.snapshot import Snapshots
from server.store.entries import EntryStore

log = structlog.get_logger(__name__)
SWEEP_SECONDS = 3600.0
KEEP_ENTRIES = 10_000
SLACK = 1_000  # so that an endless room is not trimmed for every entry


class Retention:
    """Trims rooms behind a stored fold, so that their snapshots stay whole."""

    def __init__(self, entries: EntryStore, *, hub: Hub, snapshots: Snapshots, days: float) -> None:
        self._entries = entries
        self._hub = hub
        self._snapshots = snapshots
        self._days = days

    async def run(self) -> None:
        """Sweep every hour until cancelled."""
        while True:
            try:
                await self.sweep()
            except Unavailable:
                log.warning("retention waits for the database")
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Trim what is due; raises Unavailable. Cancelling is safe: a floor is stored before entries go."""
        for name in await self._entries.closed_rooms(self._days):
            if await self._trim(name, keep=0):
                await self._entries.forget_closing(name)
        for name, top in self._hub.log.tops():
            if is_endless(name) and top > KEEP_ENTRIES + SLACK:
                await self._trim(name, keep=KEEP_ENTRIES)

    async def empty(self, name: str) -> None:
        """Forget all entries that a room has by now; raises Unavailable. Repeating it is harmless."""
        await self._forget(name, keep=0)

    async def _trim(self, name: str, *, keep: int) -> bool:
        """Trim one room; what is wrong with it does not keep the others waiting."""
        try:
            await self._forget(name, keep=keep)
        except Unavailable:
            raise
        except Exception:
            log.exception("room not trimmed", room=name)
            return False
        return True

    async def _forget(self, name: str, *, keep: int) -> None:
        room = await self._hub.settle_head(name)
        upto = await self._snapshots.store(room) - keep
        floor = await self._entries.floor(name)
        if upto > floor:
            await self._entries.trim(name, upto=upto, floor=floor)
            log.info("room trimmed", room=name, floor=upto)
