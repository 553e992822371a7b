"""The passing of time, where time itself is what a test is about: nothing else in the tests sleeps."""

import asyncio
from contextlib import suppress


async def passes(seconds: float, *, because: str, until: asyncio.Event | None = None) -> bool:
    """Let some time pass for the reason given; tell whether `until`, which ends it earlier, has come."""
    assert because, "say why no event can be waited for"
    end = until or asyncio.Event()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await end.wait()
    return end.is_set()
