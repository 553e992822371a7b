"""A watcher that comes back after every cut, and fails when it sees an offset twice or misses one."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import socketio.exceptions

from tests.support.clients import Socket, socket
from tests.support.passing import passes
from tests.support.tail import Tail

PAUSE = 0.3
CUT = (socketio.exceptions.SocketIOError, OSError, TimeoutError)


class Watcher:
    """Follows an invocation over one connection after another, at whatever server answers."""

    def __init__(self, next_url: Callable[[], str], token: str, invocation_id: str) -> None:
        self._next_url = next_url
        self._token = token
        self._invocation_id = invocation_id
        self.tail = Tail(f"test_{invocation_id}")
        self.joins = 0
        self.resets = 0

    async def follow(self, *, until: asyncio.Event) -> None:
        """Watch until told to stop; connections that break are made anew."""
        while not until.is_set():
            with suppress(*CUT):
                async with socket(self._next_url(), {"token": self._token}) as connection:
                    if await self._join(connection):
                        await self._watch(connection, until)
            await passes(PAUSE, because="clients wait before they come back", until=until)

    async def _join(self, connection: Socket) -> bool:
        tail = self.tail
        place = {"after": tail.last, "epoch": tail.epoch} if tail.epoch else {"after": 0}
        ack = await connection.call("test_join", invocation_id=self._invocation_id, **place)
        if not ack["success"]:
            assert ack["error"]["code"] in ("unavailable", "internal"), ack
            return False
        if not ack["recovered"]:
            self.resets += 1
            self.tail.last = ack["offset"]
        self.tail.epoch = ack["epoch"]
        self.joins += 1
        return True

    async def _watch(self, connection: Socket, until: asyncio.Event) -> None:
        while connection.client.connected and not until.is_set():
            await passes(PAUSE, because="entries are looked at in batches", until=until)
            self.tail.take(connection)
        self.tail.take(connection)
