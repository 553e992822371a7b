"""npm's socket.io-client under remote control, with the verbs that tests use for every client."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import orjson

from tests.clients.node import HERE, node
from tests.support.clients import PATIENCE, Recorder

LONGEST_LINE = 1024 * 1024
Data = dict[str, Any]


class Remote(Recorder):
    """A JavaScript client; `lives` are its connections, `extras` what came behind each event's payload."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self.lives: list[Data] = []
        self.extras: list[list[Any]] = []
        self.losses: list[str] = []
        self.refusals: list[str] = []
        self.uncaught: list[str] = []
        self._process = process
        self._acks: dict[int, asyncio.Future[Data]] = {}
        self._ids = count()

    async def connect(self) -> Data:
        """Connect again with what the client has kept; return the record of the new connection."""
        before = len(self.lives)
        self.order("connect")
        return await self.connected(before + 1)

    async def connected(self, times: int) -> Data:
        """Wait for the client's connection of a number, and its confirmation; return its record."""
        await self.until("connection_confirmed", count=times)
        return self.lives[times - 1]

    async def call(self, event: str, **data: Any) -> Data:
        """Send an event and return its ack."""
        return await self._asked("call", name=event, data=data)

    async def send(self, event: str, **data: Any) -> Data:
        """Send an event that must succeed."""
        ack = await self.call(event, **data)
        assert ack["success"], ack
        return ack

    async def kept(self) -> Data:
        """Return the pid and the offset that the client keeps for its next connection."""
        return await self._asked("kept")

    def order(self, command: str, **given: Any) -> None:
        """Have the client do something of which nothing comes back."""
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps({"command": command, **given}) + b"\n")

    async def listen(self) -> None:
        """Take what the client tells until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._take(orjson.loads(line))

    async def _asked(self, command: str, **given: Any) -> Data:
        number = next(self._ids)
        self._acks[number] = asyncio.get_running_loop().create_future()
        self.order(command, id=number, **given)
        async with asyncio.timeout(PATIENCE):
            return await self._acks[number]

    def _take(self, told: Data) -> None:
        if "ack" in told:
            self._acks.pop(told["id"]).set_result(told["ack"])
            return
        if "seen" in told:
            self.extras.append(told["extra"])
            self.record(told["seen"], told["data"])
            return
        ((kind, value),) = told.items()
        lists: dict[str, list[Any]] = {
            "connected": self.lives,
            "disconnected": self.losses,
            "refused": self.refusals,
            "uncaught": self.uncaught,
        }
        lists[kind].append(value)
        self._news.set()


@asynccontextmanager
async def remote(
    url: str, auth: Data, *, transports: list[str], reconnection: bool = True
) -> AsyncIterator[Remote]:
    """Run a JavaScript client and wait for its confirmation."""
    process = await asyncio.create_subprocess_exec(
        *[node(), str(HERE / "remote.mjs")], stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=LONGEST_LINE
    )
    client = Remote(process)
    listening = asyncio.create_task(client.listen())
    try:
        client.order("open", url=url, auth=auth, transports=transports, reconnection=reconnection)
        await client.connected(1)
        yield client
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await listening
