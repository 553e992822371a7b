"""Lets so many in at once, in turn for those whom they belong to: who has few inside comes first."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class FairGate:
    """A semaphore that owners share: a place that gets free goes to the owner that has the fewest.

    One owner may have all places while nobody else waits, or `most` of them where that is given.
    """

    def __init__(self, places: int, *, most: int | None = None) -> None:
        self._free = places
        self._most = places if most is None else most
        self._inside: Counter[Hashable] = Counter()
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    def locked(self) -> bool:
        """Tell whether who comes now has to wait."""
        return not self._free or any(self._inside[owner] < self._most for owner in self._waiting)

    async def acquire(self, owner: Hashable) -> None:
        """Return once there is place; cancelling takes none."""
        if not self.locked() and self._inside[owner] < self._most:
            self._enter(owner)
            return
        mine = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self.release(owner)
            raise

    def release(self, owner: Hashable) -> None:
        """Free a place of an owner's."""
        self._inside[owner] -= 1
        if not self._inside[owner]:
            del self._inside[owner]
        self._free += 1
        self._admit()

    @asynccontextmanager
    async def place(self, owner: Hashable) -> AsyncIterator[None]:
        """Hold a place for an owner."""
        await self.acquire(owner)
        try:
            yield
        finally:
            self.release(owner)

    def _enter(self, owner: Hashable) -> None:
        self._free -= 1
        self._inside[owner] += 1

    def _admit(self) -> None:
        while self._free and self._waiting:
            owner = min(self._waiting, key=lambda one: self._inside[one])  # of equals who waits longest
            if self._inside[owner] >= self._most:
                return
            line = self._waiting.pop(owner)
            first = line.popleft()
            if line:
                self._waiting[owner] = line  # behind the others
            if not first.done():  # else it was cancelled
                self._enter(owner)
                first.set_result(None)
