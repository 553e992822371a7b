"""A way to a server in which clients vanish: nothing comes through any more, and nobody is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Hole:
    """Passes bytes on until `swallow`; from then on both sides believe that the other one is silent."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._swallowed: set[int] = set()
        self._all = False
        self._over = asyncio.Event()
        self.url = ""

    def swallow(self, port: int | None = None) -> None:
        """Let nothing through any more, in neither direction: of the client with a port, or of anybody."""
        if port is None:
            self._all = True
        else:
            self._swallowed.add(port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.append(writer)
        with suppress(OSError):
            there, upstream = await asyncio.open_connection(*self._target)
            self._writers.append(upstream)
            port: int = writer.get_extra_info("peername")[1]
            await asyncio.gather(self._pass(reader, upstream, port), self._pass(there, writer, port))

    async def close(self) -> None:
        """End all that is left."""
        self._over.set()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        while data := await reader.read(65536):
            if self._all or port in self._swallowed:
                await self._over.wait()
            writer.write(data)
            await writer.drain()
        if self._all or port in self._swallowed:
            await self._over.wait()
        writer.close()


@asynccontextmanager
async def hole(target: str) -> AsyncIterator[Hole]:
    """Run one in front of a server's URL."""
    way = Hole(target)
    listening = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    way.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield way
    finally:
        listening.close()
        await way.close()
        await listening.wait_closed()
