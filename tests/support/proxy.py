"""A TCP proxy whose connections can be cut without a goodbye."""

import asyncio
import socket as stdsocket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

PATIENCE = 20.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """Passes bytes on to a server; `cut` resets all connections on both sides."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        assert parts.hostname is not None
        self._target = (parts.hostname, parts.port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._left: int | None = None
        self._done = asyncio.Event()
        self.refuse = False  # new connections end at once
        self.url = ""

    @property
    def connections(self) -> int:
        """Return the number of connections that pass through."""
        return len(self._writers) // 2

    async def cut_after(self, count: int) -> None:
        """Let so many more bytes through to clients, then cut in the middle of what is being sent."""
        self._left = count
        self._done.clear()
        async with asyncio.timeout(PATIENCE):
            await self._done.wait()

    def cut(self, *, chosen: Callable[[], bool] = lambda: True) -> None:
        """Reset every connection, as a pulled cable and a rebooted router would, or those that are chosen."""
        for writer in [w for w in self._writers if chosen()]:
            raw = writer.get_extra_info("socket")
            if raw.fileno() >= 0:  # else it is closed already
                raw.setsockopt(stdsocket.SOL_SOCKET, stdsocket.SO_LINGER, RESET_ON_CLOSE)
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until a side ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self.refuse:
                return
            with suppress(OSError):
                there, upstream = await asyncio.open_connection(*self._target)
                await asyncio.gather(self._pass(reader, upstream), self._pass(there, writer, limited=True))
        finally:
            writer.close()
            self._tasks.discard(task)

    async def close(self) -> None:
        """Cut what is open and wait until nothing runs."""
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, limited: bool = False
    ) -> None:
        self._writers.add(writer)
        try:
            while data := await reader.read(65536):
                if limited and self._left is not None:
                    data, self._left = data[: self._left], self._left - len(data)
                writer.write(data)
                await writer.drain()
                if limited and self._left is not None and self._left <= 0:
                    self._left = None
                    self.cut()
                    self._done.set()
        except OSError:
            return
        finally:
            self._writers.discard(writer)
            writer.close()


@asynccontextmanager
async def proxy(target: str, *, port: int = 0) -> AsyncIterator[Proxy]:
    """Run a proxy in front of a server's URL, on a port of its own or a given one."""
    passing = Proxy(target)
    listening = await asyncio.start_server(passing.serve, "127.0.0.1", port)
    passing.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield passing
    finally:
        listening.close()
        await passing.close()
        await listening.wait_closed()
