"""Publishes the events that aggregates carry, by event id, and clears them (core §11)."""

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog

from schemas.stored import Pending
from server.errors import Unavailable
from server.rooms.log import Log
from server.store.aggregates import AggregateStore, Key

log = structlog.get_logger(__name__)
SWEEP_SECONDS = 2.0
CLEAR_SECONDS = 0.05


class Outboxes:
    """Moves events from aggregates into the log.

    Each event is queued once here, in the order of the aggregate; what this process cannot finish is finished
    by any process's sweeper, and the event id makes doing it twice harmless.
    """

    def __init__(self, log_: Log, stores: Sequence[AggregateStore]) -> None:  # type: ignore[type-arg]
        self._log = log_
        self._stores = {store.name: store for store in stores}
        self._queued: dict[str, asyncio.Future[int]] = {}
        self._done: list[tuple[str, Key, str]] = []
        self._wake = asyncio.Event()

    def publish(self, store: str, key: Key, outbox: Sequence[Pending]) -> list[asyncio.Future[int]]:
        """Queue an aggregate's events that are not queued yet; the futures give their offsets.

        Cancelling a future takes nothing back.
        """
        futures = []
        for event in outbox:
            if (future := self._queued.get(event.eid)) is None:
                try:
                    future = self._log.publish(event.r, event.name, event.j.encode(), eid=event.eid)
                except Unavailable:
                    log.warning("outbox left to the sweeper", store=store, key=key)
                    break
                self._queued[event.eid] = future
                future.add_done_callback(partial(self._ended, store, key, event.eid))
            # shielded: an event counts as published when it is, not when nobody waits for it any more
            futures.append(asyncio.shield(future))
        return futures

    async def run(self) -> None:
        """Clear what is published, and sweep up what others left, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._clear())
            group.create_task(self._sweep())

    def _ended(self, store: str, key: Key, eid: str, future: asyncio.Future[int]) -> None:
        if future.cancelled() or future.exception() is not None:
            self._queued.pop(eid, None)  # left to the sweeper
            return
        self._done.append((store, key, eid))
        self._wake.set()

    async def _clear(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(CLEAR_SECONDS)  # gather what comes together
            done, self._done = self._done, []
            try:
                await self._clear_all(done)
            except Unavailable:
                log.warning("outboxes not cleared; the sweeper will repeat them", events=len(done))
            for _, _, eid in done:
                self._queued.pop(eid, None)

    async def _clear_all(self, done: Sequence[tuple[str, Key, str]]) -> None:
        for name, store in self._stores.items():
            keys: dict[Key, list[str]] = {}
            for owner, key, eid in done:
                if owner == name:
                    keys.setdefault(key, []).append(eid)
            await store.clear(keys.items())

    async def _sweep(self) -> None:
        while True:
            try:
                for store in self._stores.values():
                    for key, outbox in await store.waiting():
                        self.publish(store.name, key, outbox)
            except Unavailable:
                log.warning("sweep failed")
            await asyncio.sleep(SWEEP_SECONDS)
