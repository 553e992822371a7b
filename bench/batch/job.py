"""One job of our server, as a client of its WebSocket sees it, and what its processes spent on it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import aiohttp
import orjson

from bench.batch.processes import Bench, cpu, resident
from bench.batch.server import SECRET
from bench.batch.work import job
from server.engine.access import mint
from server.engine.ids import new

PATH = "/api/ws/start-batch-job"
ENDED = ("completed", "cancelled", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Wall seconds from the first message to the summary, and CPU seconds of who took part."""

    wall: float
    server: float
    mongod: float
    endpoint: float
    passed: int


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB of a server: before a job and the most while it ran; and how long it took."""

    idle: float
    most: float
    seconds: float

    @property
    def grown(self) -> float:
        """Return the MiB over idle."""
        return self.most - self.idle


async def run_job(bench: Bench, *, cases: int, concurrency: int, salt: str) -> Spent:
    """Run a job and read all of its results; raises RuntimeError when one did not pass."""
    message = _message(bench, cases=cases, concurrency=concurrency, salt=salt)
    before = _used(bench)
    async with _socket(bench) as ws:
        began = time.perf_counter()
        await ws.send_str(message)
        results, summary = 0, b""
        async for read in ws:
            results, summary = results + 1, read.data
        wall = time.perf_counter() - began
    after = _used(bench)
    ended = orjson.loads(summary)
    figures = ended.get("summary")
    if figures is None or results != cases + 1 or ended["status"] != "completed" or figures["failed_cases"]:
        raise RuntimeError(f"{results} messages, the last one: {summary[:1000]!r}")
    return replace(
        after,
        wall=wall,
        server=after.server - before.server,
        mongod=after.mongod - before.mongod,
        endpoint=after.endpoint - before.endpoint,
        passed=figures["accuracy_step_c"],
    )


async def remember(bench: Bench, *, cases: int, concurrency: int, salt: str, reads: bool) -> Memory:
    """Run a job and return the server's memory; a client that does not read leaves all in the socket."""
    message = _message(bench, cases=cases, concurrency=concurrency, salt=salt)
    idle, most, began = resident(bench.server.pid), 0.0, time.perf_counter()
    async with _socket(bench) as ws:
        reading = asyncio.create_task(_read(ws)) if reads else None
        await ws.send_str(message)
        while not await _ended(bench, cases):
            most = max(most, resident(bench.server.pid))
            await asyncio.sleep(0.2)
        seconds = time.perf_counter() - began
        if reading is not None:
            await reading
        most = max(most, resident(bench.server.pid))
    return Memory(idle, most, seconds)


async def _read(ws: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in ws:
        pass


async def _ended(bench: Bench, cases: int) -> bool:
    url = f"{bench.server.url}/api/jobs?limit=1"
    async with bench.http.get(url, headers=_headers()) as response:
        response.raise_for_status()
        jobs = orjson.loads(await response.read())["items"]
    return bool(jobs) and jobs[0]["total_runs"] == cases and jobs[0]["status"] in ENDED


@asynccontextmanager
async def _socket(bench: Bench) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    url = bench.server.url + PATH
    async with bench.http.ws_connect(url, headers=_headers(), max_msg_size=0) as ws:
        yield ws


def _message(bench: Bench, *, cases: int, concurrency: int, salt: str) -> str:
    return orjson.dumps(job(bench.endpoint.url, cases, salt=salt, concurrency=concurrency)).decode()


def _headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {mint(SECRET, role='author', profile_id=new(), seconds=3600)}"}


def _used(bench: Bench) -> Spent:
    return Spent(
        wall=0,
        server=cpu(bench.server.pid),
        mongod=cpu(bench.mongod),
        endpoint=cpu(bench.endpoint.pid),
        passed=0,
    )
