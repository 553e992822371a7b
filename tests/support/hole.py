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
        self._open = asyncio.Event()
        self._open.set()
        self.url = ""

    def swallow(self) -> None:
        """Let nothing through any more, in neither direction."""
        self._open.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.append(writer)
        with suppress(OSError):
            there, upstream = await asyncio.open_connection(*self._target)
            self._writers.append(upstream)
            await asyncio.gather(self._pass(reader, upstream), self._pass(there, writer))

    async def close(self) -> None:
        """End all that is left."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        await self._open.wait()
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
