"""What a process does under its lease: each key once, begun by a claim, and given back when it stops."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

import structlog

from server.engine.patience import patiently
from server.rooms.process import Process

log = structlog.get_logger(__name__)
LOOK_SECONDS = 0.5  # between looks whether the lease has lasted: one may be lost and begun anew in a moment
K = TypeVar("K", bound=Hashable)
C = TypeVar("C")
Holds = Callable[[], bool]


class Claims(Generic[K, C]):
    """Runs what is claimed as tasks, which are cancelled when the lease is lost or the process stops.

    What is done with a claim names its fence, so that a process that comes late changes nothing.
    """

    def __init__(self, process: Process, *, give_back: Callable[[C], Awaitable[None]]) -> None:
        """Have `give_back` store that others may go on with what this process stops in the middle of."""
        self._process = process
        self._give_back = give_back
        self._works: dict[K, asyncio.Task[None] | None] = {}
        self._closing = False
        self._idle = asyncio.Event()
        process.on_lost(self._cancel_all)

    @property
    def running(self) -> set[K]:
        """Return what this process is at, or about to be."""
        return set(self._works)

    async def run(
        self,
        key: K,
        *,
        claim: Callable[[], Awaitable[C | None]],
        do: Callable[[C, Holds], Awaitable[None]],
    ) -> None:
        """Claim a key and do it; does nothing when this process is at it, or `claim` gets None.

        `claim` is called again while the database is away, and is to take what it has claimed before. `do`
        may be cancelled anywhere. Raises Unavailable once the lease is lost.
        """
        lease = self._process.lease
        holds = partial(self._process.holds, lease)
        if self._closing or key in self._works or not holds():
            return
        self._works[key] = None
        try:
            claimed = await patiently(claim, holds)
            if claimed is not None:
                await self._carry_out(key, claimed, do=do, holds=holds)
        finally:
            del self._works[key]
            if not self._works:
                self._idle.set()

    async def close(self, seconds: float) -> None:
        """Begin nothing more and give back what runs; returns when that is stored, or time is up."""
        self._closing = True
        self._cancel_all()
        try:
            async with asyncio.timeout(seconds):
                while self._works:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            log.warning("claimed work is left to others", left=len(self._works))

    async def _carry_out(
        self, key: K, claimed: C, *, do: Callable[[C, Holds], Awaitable[None]], holds: Holds
    ) -> None:
        work = asyncio.ensure_future(do(claimed, holds))
        self._works[key] = work
        if self._closing:
            work.cancel()
        try:
            while not (await asyncio.wait([work], timeout=LOOK_SECONDS))[0]:
                if not holds():
                    work.cancel()
        finally:
            work.cancel()  # it runs still when this is cancelled itself
            await asyncio.wait([work])
        if not work.cancelled():
            work.result()
        elif self._closing:
            await patiently(lambda: self._give_back(claimed), holds)

    def _cancel_all(self) -> None:
        for work in list(self._works.values()):
            if work is not None:
                work.cancel()
