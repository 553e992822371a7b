"""Waits for a database that is away, as long as a lease lasts or until a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from server.errors import Unavailable

T = TypeVar("T")
RETRY_SECONDS = 0.2


def within(seconds: float) -> Callable[[], bool]:
    """Return what holds for so many seconds from now on."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    return lambda: loop.time() < until


async def patiently(call: Callable[[], Awaitable[T]], holds: Callable[[], bool]) -> T:
    """Do something again while the database is away; raises Unavailable once `holds` does not hold."""
    while True:
        try:
            return await call()
        except Unavailable:
            if not holds():
                raise
            await asyncio.sleep(RETRY_SECONDS)
