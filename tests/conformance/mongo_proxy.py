"""A proxy in front of mongod that loses requests and replies of the log's inserts, or any reply by chance."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

INSERT = b"\x02insert\x00\x08\x00\x00\x00entries\x00"  # the command in BSON
CHANGE_CHAT = b"\x02findAndModify\x00\x06\x00\x00\x00chats\x00"


class MongoProxy:
    """Passes everything on but what it was told to lose; `inserts` counts what reached mongod.

    Another `command` than the inserts can be watched instead.
    """

    def __init__(self, target: str, *, command: bytes = INSERT) -> None:
        self._target = urlsplit(target)
        self.command = command
        self.url = ""
        self.inserts = 0
        self.lose_replies = 0
        self.lose_requests = 0
        self.lost = 0
        self._loss = 0.0
        self._chance = random.Random()
        self.held = asyncio.Event()
        self._pass = asyncio.Event()
        self._pass.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.StreamWriter] = set()

    def lose(self, share: float, *, seed: int) -> None:
        """Lose a share of all replies, each with its connection."""
        self._loss = share
        self._chance.seed(seed)

    def unlucky(self) -> bool:
        """Tell whether the next reply is to be lost."""
        lost = self._chance.random() < self._loss
        self.lost += lost
        return lost

    def hold(self) -> None:
        """Keep the replies to inserts back; `held` is set when one waits."""
        self.held.clear()
        self._pass.clear()

    def let_go(self) -> None:
        """Pass on what was held."""
        self._pass.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of the driver."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there, upstream = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._open |= {writer, upstream}
        passing = Passing(self)
        ways = [
            asyncio.create_task(passing.requests(reader, upstream)),
            asyncio.create_task(passing.replies(there, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, upstream):
                end.transport.abort()
                self._open.discard(end)
            self._tasks.discard(task)

    async def reply(self) -> bool:
        """Wait while replies are held; tell whether this one may pass."""
        if self.lose_replies:
            self.lose_replies -= 1
            return False
        self.held.set()
        await self._pass.wait()
        return True

    async def close(self) -> None:
        """End all connections."""
        self.let_go()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.gather(*self._tasks)


class Passing:
    """One connection; drivers send one command at a time, so a flag tells which reply is an insert's."""

    def __init__(self, proxy: MongoProxy) -> None:
        self._proxy = proxy
        self._inserting = False

    async def requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass requests on until one is to be lost or the driver goes."""
        while request := await _message(reader):
            if self._proxy.command in request:
                if self._proxy.lose_requests:
                    self._proxy.lose_requests -= 1
                    return
                self._inserting = True
                self._proxy.inserts += 1
            writer.write(request)
            await writer.drain()

    async def replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass replies on until one is to be lost or mongod goes."""
        while reply := await _message(reader):
            if self._proxy.unlucky() or (self._inserting and not await self._proxy.reply()):
                return
            self._inserting = False
            writer.write(reply)
            await writer.drain()


async def _message(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readexactly(4)
        return head + await reader.readexactly(int.from_bytes(head, "little") - 4)
    except (OSError, asyncio.IncompleteReadError):
        return b""


@asynccontextmanager
async def mongo_proxy(target: str, *, command: bytes = INSERT) -> AsyncIterator[MongoProxy]:
    """Run a proxy in front of a mongod."""
    proxy = MongoProxy(target, command=command)
    listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = target.replace(f":{urlsplit(target).port}", f":{listening.sockets[0].getsockname()[1]}", 1)
    try:
        yield proxy
    finally:
        listening.close()
        await proxy.close()
        await listening.wait_closed()
