"""How much of a process reading what agents send may take, fairly shared among their lines."""

import asyncio
import time
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import TypeVar

T = TypeVar("T")
SHARE = 0.2  # of the loop's time
SAVED_SECONDS = 0.2  # that reading did not use and may make up for: many begin at once


class Flow:
    """One line's place among those that share a budget: what it has used, as the budget counts."""

    def __init__(self) -> None:
        self.used = 0.0


class Budget:
    """Does the work of reading for all lines of a process, one piece at a time, within a share of its time.

    Of those that wait the one that has used the least is the next: a line that was quiet comes before lines
    that send without end, and does not save up what it did not use.
    """

    def __init__(self, *, share: float = SHARE) -> None:
        self._share = share
        self._free_at = 0.0
        self._level = 0.0  # what the lines that are served have used: who comes begins here
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = count()
        self._timer: asyncio.TimerHandle | None = None

    async def spend(self, flow: Flow, work: Callable[[], T], *, besides: float = 0.0) -> T:
        """Do a piece of work when it is its flow's turn; `besides` are seconds that it costs elsewhere."""
        flow.used = max(flow.used, self._level)
        await self._turn(flow.used)
        self._level = max(self._level, flow.used)
        begun = time.monotonic()
        try:
            return work()
        finally:
            seconds = time.monotonic() - begun + besides
            flow.used += seconds
            earliest = asyncio.get_running_loop().time() - SAVED_SECONDS
            self._free_at = max(self._free_at, earliest) + seconds / self._share

    async def _turn(self, used: float) -> None:
        loop = asyncio.get_running_loop()
        if not self._waiting and self._free_at <= loop.time():
            return
        mine = loop.create_future()
        heappush(self._waiting, (used, next(self._count), mine))
        self._arm()
        await mine

    def _arm(self) -> None:
        if self._waiting and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(self._free_at, loop.time()), self._next)

    def _next(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        if self._free_at > loop.time():  # somebody came in between
            self._arm()
            return
        while self._waiting:
            _, _, first = heappop(self._waiting)
            if not first.done():  # else it was cancelled
                first.set_result(None)
                loop.call_soon(self._arm)  # after its work, or after it was cancelled
                return
