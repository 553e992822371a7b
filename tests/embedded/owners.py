"""Starts owners of embedded parts as processes that tests can kill."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def owner(*arguments: str) -> AsyncIterator[tuple[Process, str]]:
    """Yield an owner in a process group of its own and the URL of its part; kills it at the end."""
    command = [sys.executable, "-m", "tests.embedded.owner", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, cwd=ROOT, start_new_session=True)
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        assert url, "the owner did not start"
        yield process, url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()


async def closed(port: int, process: Process) -> None:
    """Kill an owner and return when its part has closed a connection that was open before."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    process.kill()
    with contextlib.suppress(ConnectionResetError):
        while await reader.read(4096):
            pass
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
