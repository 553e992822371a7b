"""A Valkey of a test's own, which it kills and starts again, empty, on the same port."""

import asyncio
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.embedded.child import start_child, stop_child
from server.embedded.valkey import find_valkey
from tests.support.process import free_port

PATIENCE = 20.0


class ValkeyServer:
    """A Valkey without persistence and password; `start` returns when it answers."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: Process | None = None

    async def start(self) -> None:
        """Start it, empty."""
        settings = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        command = [str(find_valkey()), *settings]
        self._process = await start_child(command, stdout=DEVNULL, stderr=DEVNULL)
        async with asyncio.timeout(PATIENCE):
            while not await self._answers():
                await asyncio.sleep(0)

    async def kill(self) -> None:
        """End it by SIGKILL; what it held is gone."""
        process, self._process = self._process, None
        assert process is not None
        process.kill()
        await process.wait()

    def pause(self) -> None:
        """Stop it in its tracks by SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a stopped one go on."""
        self._signal(signal.SIGCONT)

    async def stop(self) -> None:
        """End it, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            await stop_child(process)

    async def send(self, *parts: str | bytes) -> bytes:
        """Send one command over a connection of its own and return the first line of the answer."""
        packed = [part.encode() if isinstance(part, str) else part for part in parts]
        command = b"*%d\r\n" % len(packed) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in packed)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(command)
            return await reader.readline()
        finally:
            writer.close()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            writer.write(b"PING\r\n")
            return await reader.readline() == b"+PONG\r\n"
        except OSError:
            return False
        finally:
            writer.close()


@asynccontextmanager
async def valkey_server() -> AsyncIterator[ValkeyServer]:
    """Run a Valkey that a test may kill."""
    server = ValkeyServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
