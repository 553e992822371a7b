"""How long the event loop of a server with many connections stands still while the Admin UI comes in.

The server runs in this process, beside a task that asks to be woken each millisecond and notes how late
that is: for some seconds with nobody watching, then from when a watcher connects until it was told of every
socket, then for some seconds while it looks on. Connections and watcher are processes of their own.
"""

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import orjson
import uvloop
from aiohttp import web
from pydantic import SecretStr

from bench._parts import SECRET
from bench.connections import FILES, spawned, told
from server.app import make_app
from server.cli.garbage import tune_collector
from server.embedded.mongod import embedded_mongod
from server.settings import Settings
from server.transports.heads import Runner

PASSWORD = "a password of the benchmark"
SECONDS = 8.0
TICK = 0.001


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[str]:
    """Run a server that can be watched, without limits on connections."""
    async with embedded_mongod(folder) as mongod_url:
        settings = Settings(
            mongodb_url=SecretStr(mongod_url),
            mongodb_database="bench",
            openai_api_key=SecretStr("none"),
            openai_base_url="http://127.0.0.1:9/v1",
            openai_model="none",
            admin_password=SecretStr(PASSWORD),
            connections_per_identity=FILES,
            connections_per_address=FILES,
        )
        runner = Runner(make_app(settings, secret=SECRET, guests=True), shutdown_timeout=2)
        await runner.setup()
        tune_collector()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


async def stops(until: Awaitable[object]) -> list[float]:
    """Return by how many milliseconds each tick was late until something ended, sorted."""
    found: list[float] = []
    ending = asyncio.ensure_future(until)
    while not ending.done():
        before = time.perf_counter()
        await asyncio.sleep(TICK)
        found.append((time.perf_counter() - before - TICK) * 1000)
    await ending
    return sorted(found)


async def watch(url: str, wanted: int) -> None:
    """Watch as the Admin UI does; say when so many sockets were told."""
    seen = 0
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket", max_msg_size=0) as ws,
    ):
        await ws.receive()
        await ws.send_str("40/admin," + orjson.dumps({"username": "admin", "password": PASSWORD}).decode())
        async for message in ws:
            if message.data == "2":
                await ws.send_str("3")
            elif message.data.startswith('42/admin,["all_sockets"'):
                seen += len(orjson.loads(message.data.partition(",")[2])[1])
            elif message.data.startswith('42/admin,["socket_connected"'):
                seen += 1
            if seen >= wanted > 0:
                wanted = 0
                print("whole", flush=True)


async def measure(connections: int) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder)) as url, spawned("--hold", url) as holder:
            await told(holder, connections)
            alone = await stops(asyncio.sleep(SECONDS))
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bench.admin",
                "--watch",
                url,
                "--connections",
                str(connections),
                stdout=PIPE,
            )
            assert process.stdout is not None
            before = time.perf_counter()
            joining = await stops(process.stdout.readline())
            took = time.perf_counter() - before
            looking = await stops(asyncio.sleep(SECONDS))
            process.terminate()
            await process.wait()
    print(f"{connections} connections; a watcher was told of all of them {took:.1f} s after it was started")
    for name, found in (("nobody watches", alone), ("a watcher comes in", joining), ("it looks on", looking)):
        print(f"{name}: longest stop {found[-1]:.1f} ms, p99 {found[len(found) * 99 // 100]:.1f} ms")
    print(f"ratio of the longest stops: {max(joining[-1], looking[-1]) / alone[-1]:.2f}")


def main() -> None:
    """Run the benchmark, or its watcher."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--watch", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, FILES), hard), hard))
    uvloop.run(watch(options.watch, options.connections) if options.watch else measure(options.connections))


if __name__ == "__main__":
    main()
