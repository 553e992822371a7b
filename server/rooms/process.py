"""This process's life: its heartbeat in the database, its lease, and the log's epoch (core §7, §12)."""

import asyncio
import time
from collections.abc import Callable

import structlog

from server.errors import Unavailable
from server.store.processes import ProcessStore

log = structlog.get_logger(__name__)
BEAT_SECONDS = 2.0
LEASE_SECONDS = 8.0  # less than the 10 s after which others may take over


class Process:
    """Beats every 2 s; `alive` turns false 8 s after the last good beat began, before others take over."""

    def __init__(self, name: str, store: ProcessStore) -> None:
        self.name = name
        self.epoch = ""
        self.secret = b""  # of this epoch: signs what processes tell each other
        self.lease = 1  # counts up when one was lost: what was owned before belongs to others since
        self._store = store
        self._beaten_at = float("-inf")
        self._seen: set[str] = set()
        self._on_lost: list[Callable[[], None]] = []
        self._on_epoch: list[Callable[[], None]] = []

    @property
    def alive(self) -> bool:
        """Tell whether this process still owns what it is working on."""
        return self.silent <= LEASE_SECONDS

    @property
    def silent(self) -> float:
        """Return the seconds since the last good beat began."""
        return time.monotonic() - self._beaten_at

    def holds(self, lease: int) -> bool:
        """Tell whether a lease has lasted until now."""
        return self.alive and self.lease == lease

    def on_lost(self, call: Callable[[], None]) -> None:
        """Have `call` run when the lease is lost, or may have been, because beats fail."""
        self._on_lost.append(call)

    def on_epoch(self, call: Callable[[], None]) -> None:
        """Have `call` run when the log's epoch has changed."""
        self._on_epoch.append(call)

    async def living(self, *, within: int = 0) -> set[str]:
        """Return the names of the living processes, or of those that lived within so many seconds.

        Raises Unavailable.
        """
        found = await self._store.living(within=within)
        if not within:
            self._seen = found
        return found

    @property
    def foremost(self) -> bool:
        """Tell whether this is the first of the living processes, as they were last looked at.

        For what one process is enough for; for some seconds there may be two of them, or none.
        """
        return self.alive and self.name == min(self._seen, default="")

    async def beat(self) -> None:
        """Prolong the lease; raises Unavailable."""
        began = time.monotonic()
        meta = await self._store.beat(self.name)
        if not self.alive and self._beaten_at > float("-inf"):
            self.lease += 1
        self._beaten_at = began
        changed = self.epoch not in ("", meta.epoch)
        self.epoch = meta.epoch
        self.secret = f"{meta.epoch}.{meta.secret}".encode()
        if changed:
            log.warning("log epoch changed", epoch=meta.epoch)
            for call in self._on_epoch:
                call()

    async def renew_epoch(self) -> None:
        """Give the log another epoch, because numbers could be given out twice; raises Unavailable."""
        await self._store.change_epoch(self.epoch)
        await self.beat()

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            try:
                await self.beat()
            except Unavailable:
                log.warning("heartbeat failed", alive=self.alive)
            if not self.alive:
                for call in self._on_lost:
                    call()
            await asyncio.sleep(BEAT_SECONDS)

    async def leave(self) -> None:
        """Let others take over at once; raises Unavailable."""
        await self._store.leave(self.name)
