"""Memory of an idle WebSocket connection: the whole server beside stock python-socketio, in one run.

Each server is a process of its own, and so is the client that holds the connections and answers pings. It
prints by how much a server's resident memory grew for each, after a first batch that warmed its allocators.
Browsers offer compression; stock accepts it, which is the first of its two figures.
"""

import argparse
import asyncio
import os
import resource
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import socketio
import uvloop
from aiohttp import web

from bench._parts import running

WARM_UP = 200
PAGE = os.sysconf("SC_PAGE_SIZE")
FILES = 20_000


def resident(pid: int) -> int:
    """Return a process's resident memory in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


async def grown(pid: int, url: str, *, connections: int, compress: bool) -> float:
    """Return the KiB that a server grew by for each connection."""
    arguments = ("--hold", url, *(("--compress",) if compress else ()))
    async with spawned(*arguments) as holder:
        await told(holder, WARM_UP)
        before = resident(pid)
        await told(holder, connections)
        return (resident(pid) - before) / connections / 1024


async def told(holder: Process, count: int) -> None:
    """Have the holder open so many more connections, and wait until they are open and quiet."""
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdin.write(b"%d\n" % count)
    if await holder.stdout.readline() != b"open\n":
        raise RuntimeError("the client could not open its connections")
    await asyncio.sleep(1)


@asynccontextmanager
async def spawned(*arguments: str) -> AsyncIterator[Process]:
    """Run this module as another process."""
    command = (sys.executable, "-m", "bench.connections", *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


async def stock(*, connections: int, compress: bool) -> float:
    """Measure python-socketio as it comes."""
    async with spawned("--serve-stock") as server:
        assert server.stdout is not None
        url = (await server.stdout.readline()).decode().strip()
        return await grown(server.pid, url, connections=connections, compress=compress)


async def serve_stock() -> None:
    """Serve an application of stock python-socketio that says who is connected, until terminated."""
    sio = socketio.AsyncServer(async_mode="aiohttp")

    async def connect(sid: str, environ: object, auth: object) -> None:
        await sio.enter_room(sid, f"guest_{sid}")
        await sio.emit("connection_confirmed", {"sid": sid}, to=sid)

    sio.on("connect", connect)
    app = web.Application()
    sio.attach(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


async def hold(url: str, *, compress: bool) -> None:
    """Open as many connections as each line of the input says, and answer their pings."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http, asyncio.TaskGroup() as group:
        while line := await reader.readline():
            for _ in range(int(line)):
                ws = await http.ws_connect(
                    f"{url}/socket.io/?EIO=4&transport=websocket", compress=15 if compress else 0
                )
                await ws.receive()
                await ws.send_str("40{}")
                await ws.receive()
                await ws.receive()
                group.create_task(answer(ws))
            print("open", flush=True)


async def answer(ws: aiohttp.ClientWebSocketResponse) -> None:
    """Answer pings until the connection ends."""
    async for message in ws:
        if message.data == "2":
            await ws.send_str("3")


async def measure(connections: int) -> None:
    """Print the figures."""
    async with running() as bench:
        ours = await grown(bench.pid, bench.url, connections=connections, compress=True)
    compressed = await stock(connections=connections, compress=True)
    plain = await stock(connections=connections, compress=False)
    print(f"idle connection: {ours:.1f} KiB (goal 30), {connections} at once")
    print(f"stock python-socketio: {compressed:.1f} KiB, {plain:.1f} KiB without compression")
    print(f"ratio: {ours / compressed:.2f}, {ours / plain:.2f}")


def main() -> None:
    """Run the benchmark, or one of its processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--serve-stock", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--hold", metavar="URL", help=argparse.SUPPRESS)
    parser.add_argument("--compress", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, FILES), hard), hard))
    if options.serve_stock:
        uvloop.run(serve_stock())
    elif options.hold:
        uvloop.run(hold(options.hold, compress=options.compress))
    else:
        uvloop.run(measure(options.connections))


if __name__ == "__main__":
    main()
