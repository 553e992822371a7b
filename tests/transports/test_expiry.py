"""When a token's end is told, and when the connection ends."""

import asyncio
import gc
import time
from types import MethodType

from server.transports.expiry import MAX_SLEEP, Expiry

PATIENCE = 28
LONG = 100_000.0


class Wire:
    """Who is told, and ended."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.ended = asyncio.Event()

    def tell(self, event: str, data: bytes) -> None:
        """Note an event."""
        self.seen.append(f"{event} {data.decode()}")

    def end(self, reason: str) -> None:
        """Note the end."""
        self.seen.append(reason)
        self.ended.set()

    def expiry(self, grace: float = PATIENCE) -> Expiry:
        """Return what looks at this connection's token."""
        return Expiry(tell=self.tell, end=self.end, grace=grace)


def left(expiry: Expiry) -> float:
    """Return in how many seconds something happens."""
    assert expiry.timer is not None
    return expiry.timer.when() - asyncio.get_running_loop().time()


async def test_the_client_is_told_and_then_the_connection_ends() -> None:
    wire = Wire()
    wire.expiry(0.05).at(time.time() + 0.05)
    assert wire.seen == []
    async with asyncio.timeout(PATIENCE):
        await wire.ended.wait()
    assert wire.seen == ["auth_expired {}", "token expired"]


async def test_a_token_that_has_ended_already_is_told_at_once() -> None:
    wire = Wire()
    expiry = wire.expiry()
    expiry.at(time.time() - 1)
    assert wire.seen == ["auth_expired {}"]
    assert PATIENCE - 1 < left(expiry) <= PATIENCE
    expiry.at(None)


async def test_a_newer_token_takes_back_the_end() -> None:
    wire = Wire()
    expiry = wire.expiry(0.05)
    expiry.at(time.time() - 1)
    ending = expiry.timer
    expiry.at(time.time() + 60)
    assert ending is not None
    assert ending.cancelled()
    assert 55 < left(expiry) <= 60
    expiry.at(None)
    assert expiry.timer is None


async def test_what_has_stopped_lets_go_of_its_connection() -> None:
    wire = Wire()
    expiry = wire.expiry(0.05)
    expiry.at(time.time() - 1)
    expiry.stop()
    assert expiry.timer is None
    assert not any(isinstance(held, MethodType) for held in gc.get_referents(expiry))


async def test_a_long_token_is_looked_at_every_hour() -> None:
    expiry = Wire().expiry()
    expiry.at(time.time() + LONG)
    assert MAX_SLEEP - 5 < left(expiry) <= MAX_SLEEP
    expiry.at(None)
