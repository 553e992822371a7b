"""What transports tell clients while the process stops, and how long they wait for them."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

from server.errors import Unavailable

SHUTDOWN = "server shutdown"  # why the connections end that are open then
SETTLE_SECONDS = 1.0  # for what is being handled and what was written to reach clients
LOOK_SECONDS = 0.02
LEAST_RECONNECT, MOST_RECONNECT = 1.0, 6.0


def reconnect_in() -> float:
    """Return after how many seconds a client had best come back: another for each, so that they spread."""
    return round(random.uniform(LEAST_RECONNECT, MOST_RECONNECT), 2)


def stopping() -> Unavailable:
    """Return why a newcomer is refused once the process is about to stop."""
    return Unavailable("This server is about to stop; connect again soon.", retry_after=reconnect_in())


async def settled(busy: Callable[[], bool]) -> None:
    """Wait until nothing is under way to clients any more, or a second is over: then it is time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_SECONDS):
            while busy():
                await asyncio.sleep(LOOK_SECONDS)
