"""The processes of the benchmark: MongoDB, the endpoint and our server, and what they have used."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from server.embedded.mongod import embedded_mongod
from server.embedded.runfile import read_run

TICKS = os.sysconf("SC_CLK_TCK")
MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Running:
    """A process that printed its address."""

    pid: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Everything that runs while something is measured."""

    folder: Path
    endpoint: Running
    server: Running
    mongod: int
    http: aiohttp.ClientSession


def cpu(pid: int) -> float:
    """Return the CPU seconds, user and system, that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid: int) -> float:
    """Return the MiB of memory that a process holds now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE


@asynccontextmanager
async def bench(folder: Path, *, endpoint: str = "bench.batch.endpoint") -> AsyncIterator[Bench]:
    """Start everything, `endpoint` being what our server calls; at the end only that is stopped."""
    async with AsyncExitStack() as stack:
        mongod_url = await stack.enter_async_context(embedded_mongod(folder))
        called = await stack.enter_async_context(_started(endpoint))
        server = await stack.enter_async_context(_started("bench.batch.server", mongod_url, called.url))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        run = read_run(folder)
        assert run is not None
        yield Bench(folder=folder, endpoint=called, server=server, mongod=run.pid, http=http)


@asynccontextmanager
async def _started(module: str, *arguments: str) -> AsyncIterator[Running]:
    command = (sys.executable, "-m", module, *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        if not url:
            raise RuntimeError(f"{module} did not start")
        yield Running(process.pid, url)
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.terminate()
            await process.wait()
