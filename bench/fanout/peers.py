"""The servers that are compared, each a process of its own, and what a client of each says."""

import asyncio
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.fanout.ours import GUEST
from server.embedded.mongod import embedded_mongod

HERE = Path(__file__).parent
ENTRY = '{"chat_id":"3f2b8c1e-9a4d-4c57-8d0e-5b6a7c8d9e0f","content_type":"delta","content":" word","t":1}'
ECHO = ("--echo", f'["echo",{ENTRY}]')
JOIN = ("--join", '["join",{"room":"r"}]')
CONFIRMED = ("--greeting", "connection_confirmed")
Name = Literal["greenroom", "node", "stock", "sender", "transport", "distinct"]
# how a client connects, joins and asks for an ack; `distinct` is Greenroom with another guest for each client
CLIENTS: dict[Name, tuple[str, ...]] = {
    "greenroom": (
        *("--connect", f'40{{"guest_id":"{GUEST}"}}', *CONFIRMED),
        *("--echo", '["room_leave",{"room":"attempt_3f2b8c1e-9a4d-4c57-8d0e-5b6a7c8d9e0f"}]'),
    ),
    "distinct": ("--connect", '40{"guest_id":"5b6a7c8d-9a4d-4c57-8d0e-#"}', *CONFIRMED),
    "node": (*JOIN, *ECHO),
    "stock": (*JOIN, *ECHO),
    "transport": ECHO,
    "sender": (),
}


@dataclass(frozen=True, slots=True)
class Peer:
    """A running server."""

    name: Name
    pid: int
    port: int
    control: int


class Bench:
    """Compiles what is written in C, and starts servers on one MongoDB; `folder` is its own."""

    def __init__(self, folder: Path, mongod_url: str) -> None:
        self.load = _compiled("sioload", folder)
        self._commands: dict[Name, tuple[str, ...]] = {
            "greenroom": (sys.executable, "-m", "bench.fanout.ours", mongod_url),
            "distinct": (sys.executable, "-m", "bench.fanout.ours", mongod_url),
            "node": ("node", str(HERE / "node_server.js")),
            "stock": (sys.executable, "-m", "bench.fanout.stock"),
            "transport": (sys.executable, "-m", "bench.fanout.echo"),
            "sender": (str(_compiled("sender", folder)),),
        }

    @asynccontextmanager
    async def peer(self, name: Name) -> AsyncIterator[Peer]:
        """Run a server."""
        process = await asyncio.create_subprocess_exec(*self._commands[name], stdout=PIPE)
        try:
            assert process.stdout is not None
            ports = (await process.stdout.readline()).split()
            if len(ports) != 2:
                raise RuntimeError(f"{name} did not start")
            yield Peer(name, process.pid, *map(int, ports))
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    """Yield what starts servers, with its MongoDB running."""
    async with AsyncExitStack() as stack:
        mongod_url = await stack.enter_async_context(embedded_mongod(folder))
        yield Bench(folder, mongod_url)


def _compiled(name: str, folder: Path) -> Path:
    program = folder / name
    subprocess.run(["gcc", "-O2", "-o", program, HERE / f"{name}.c"], check=True)
    return program
