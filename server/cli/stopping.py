"""What the first Ctrl-C stops, and who still wants to know how that ends."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def stoppable(work: Coroutine[Any, Any, T], stop: Callable[[], Awaitable[None]]) -> T:
    """Return what comes of work that another process does; the first cancelling has it stopped there.

    Then `stop` is awaited, and the work's end after it; the second cancelling is one.
    """
    following = asyncio.create_task(work)
    try:
        return await asyncio.shield(following)
    except asyncio.CancelledError:
        if following.done():
            raise
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()  # it is done with: what follows may be cancelled anew
    await stop()
    return await following
