"""The two connections to Valkey: one says, one hears. Neither reconnects by itself."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import cast

from redis.asyncio import Connection, ConnectionPool
from redis.exceptions import RedisError

CONNECT_SECONDS = 2.0
FAIRNESS = 100  # messages after which other work gets its turn
BROKEN = (RedisError, OSError, EOFError)  # what a connection that is of no use raises


class Link:
    """Publishes without waiting for answers, and reads what is published."""

    def __init__(self, saying: Connection, hearing: Connection) -> None:
        self._saying = saying
        self._hearing = hearing

    async def publish(self, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Send (channel, message) pairs; returns when the connection has taken them."""
        packed = self._saying.pack_commands([("PUBLISH", *pair) for pair in messages])
        await self._saying.send_packed_command(packed, check_health=False)

    async def subscribe(self, channels: Sequence[bytes]) -> None:
        """Ask to hear channels; `messages` tells when that is so."""
        await self._hearing.send_command("SUBSCRIBE", *channels, check_health=False)

    async def unsubscribe(self, channels: Sequence[bytes]) -> None:
        """Ask to hear channels no more."""
        await self._hearing.send_command("UNSUBSCRIBE", *channels, check_health=False)

    async def messages(self) -> AsyncIterator[tuple[bytes, bytes, bytes]]:
        """Yield (kind, channel, message): kind is `message`, or `subscribe` without one."""
        count = 0
        while True:
            match await _read(self._hearing):
                case [b"message", bytes(channel), bytes(message)]:
                    yield b"message", channel, message
                case [b"subscribe", bytes(channel), _]:
                    yield b"subscribe", channel, b""
            if (count := count + 1) % FAIRNESS == 0:
                await asyncio.sleep(0)

    async def ended(self) -> None:
        """Return, or raise, when the saying connection is gone: nothing else is ever read from it."""
        await _read(self._saying)


def pool_for(url: str) -> ConnectionPool:
    """Return where connections come from; raises ValueError for an address that is none."""
    return ConnectionPool.from_url(url, protocol=2, socket_timeout=None)


@asynccontextmanager
async def linked(pool: ConnectionPool) -> AsyncIterator[Link]:
    """Connect twice; raises what is in BROKEN."""
    saying, hearing = _connection(pool), _connection(pool)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            for connection in (saying, hearing):
                await connection.connect()  # type: ignore[no-untyped-call]
            await saying.send_command("CLIENT", "REPLY", "OFF", check_health=False)
        yield Link(saying, hearing)
    finally:
        await saying.disconnect(nowait=True)
        await hearing.disconnect(nowait=True)


async def reason_away(url: str) -> str:
    """Return why Redis or Valkey cannot be used, "" when it can."""
    try:
        async with linked(pool_for(url)):
            return ""
    except BROKEN as error:
        return str(error) or "no answer"


def _connection(pool: ConnectionPool) -> Connection:
    return cast(Connection, pool.make_connection())  # type: ignore[no-untyped-call]


async def _read(connection: Connection) -> object:
    """Read one answer however long it takes; raises what is in BROKEN."""
    try:
        return await connection.read_response(timeout=math.inf, disconnect_on_error=False)
    except ValueError as error:  # a length that is no number
        raise ConnectionError("this does not speak Redis' protocol") from error
