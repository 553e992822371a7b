"""How much work waits in all processes, looked at by one of them."""

import asyncio

import structlog

from schemas.room import OpsWaiting
from server.errors import Unavailable
from server.rooms.process import Process
from server.store.waiting import WaitingStore

log = structlog.get_logger(__name__)
LOOK_SECONDS = 1.0


class Queues:
    """Looks at the ledgers every second, in the foremost process; `waiting` is None in the others.

    The ledgers are the truth: what waits in Redis may be lost, or wait there twice.
    """

    def __init__(self, store: WaitingStore, process: Process) -> None:
        self._store = store
        self._process = process
        self.waiting: OpsWaiting | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                self.waiting = await self._store.counts() if self._process.foremost else None
            except Unavailable:
                self.waiting = None
                log.debug("what waits cannot be counted now")
            await asyncio.sleep(LOOK_SECONDS)
