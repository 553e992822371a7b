"""Spreads work over turns of the event loop, so that a burst of answers does not hold up everybody else."""

import asyncio
from collections import deque

AT_ONCE = 8


class Breath:
    """Lets a few tasks go on in each turn of the event loop, in the order in which they come.

    What they send is written at the end of a turn: were a hundred to go on in one, the first request would
    leave when the last answer has been worked on.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._left = at_once
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._armed = False

    async def take(self) -> None:
        """Return in this turn or a later one. Cancelling is safe."""
        if not self._armed:
            self._armed = True
            asyncio.get_running_loop().call_soon(self._next)
        if self._left:
            self._left -= 1
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        await waiter

    def _next(self) -> None:
        self._left = self._at_once
        while self._waiting and self._left:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                self._left -= 1
        self._armed = bool(self._waiting)
        if self._armed:
            asyncio.get_running_loop().call_soon(self._next)
