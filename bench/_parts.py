"""Processes that benchmarks measure: MongoDB, the scripted model and a server, each on its own."""

import asyncio
import json
import logging
import os
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import structlog
import uvloop
from aiohttp import web
from pydantic import SecretStr

from bench._voices import NullEngine
from server.app import make_app
from server.embedded.mongod import embedded_mongod
from server.embedded.valkey import embedded_valkey
from server.engine.ids import new
from server.engine.packs import content_id, read_pack
from server.settings import Settings
from server.transports import keys
from server.transports.heads import Runner

TICKS = os.sysconf("SC_CLK_TCK")
SECRET = SecretStr("benchmarks sign their tokens with this secret")
PACK = """
pack: {id: bench, name: Bench}
personas:
  ada: {name: Ada, instructions: You are Ada.}
scenarios:
  plain: {name: Plain, persona: ada}
practices:
  one: {name: One, scenarios: [plain]}
"""
RUNS = 60
SAID = ("Hello.", "What is recursion?", "And when does it end?")
RECORDED = [message for said in SAID for message in ({"user": said}, {"assistant": "As recorded."})]
PACK += f"""
agents:
  ada: {{name: Ada, instructions: You are Ada.}}
benchmarks:
  recorded:
    name: Recorded
    agents: [ada]
    concurrency: 8
    runs: {json.dumps({f"run-{i}": {"messages": RECORDED} for i in range(RUNS)})}
"""
BENCHMARK = content_id("bench", "benchmark", "recorded")
PRACTICE = content_id("bench", "practice", "one")


@dataclass
class Bench:
    """Where everything is, and the servers' processes."""

    urls: list[str]
    pids: list[int]
    mongod_url: str
    model_url: str
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        """Return the address of the first server."""
        return self.urls[0]

    @property
    def pid(self) -> int:
        """Return the first server's process."""
        return self.pids[0]

    def cpu(self) -> float:
        """Return the CPU seconds, user and system, that the servers have used."""
        return sum(map(_cpu, self.pids))

    async def figure(self, name: str) -> float:
        """Return a figure of the servers' metrics, all together."""
        found = 0.0
        for url in self.urls:
            async with self.http.get(f"{url}/metrics") as response:
                lines = (await response.text()).splitlines()
            found += next(float(line.split()[1]) for line in lines if line.startswith(f"greenroom_{name} "))
        return found

    async def script(self, **rule: Any) -> None:
        """Give the model its only rule."""
        async with self.http.put(f"{self.model_url}/script", json=[rule]) as response:
            response.raise_for_status()


class Client:
    """A Socket.IO client that costs little: one WebSocket, acks and events by name."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws
        self._next = 0

    async def event(self, name: str) -> dict[str, Any]:
        """Read on until an event, and return its payload."""
        start = f'42["{name}"'
        while True:
            text = await self._read()
            if text.startswith(start):
                payload: dict[str, Any] = orjson.loads(text[2:])[1]
                return payload

    async def send(self, event: str, **data: Any) -> None:
        """Send an event that asks for an ack."""
        self._next += 1
        await self._ws.send_str(f"42{self._next}" + orjson.dumps([event, data]).decode())

    async def ack(self) -> dict[str, Any]:
        """Read on until the ack of the last event."""
        start = f"43{self._next}["
        while True:
            text = await self._read()
            if text.startswith(start):
                answer: dict[str, Any] = orjson.loads(text[len(start) - 1 :])[0]
                if not answer["success"]:
                    raise RuntimeError(str(answer))
                return answer

    async def call(self, event: str, **data: Any) -> dict[str, Any]:
        """Send an event and return its ack."""
        await self.send(event, **data)
        return await self.ack()

    async def send_sound(self, event: str, *, chat_id: str, audio: bytes) -> None:
        """Send an event with an attachment, which asks for no ack."""
        head = [event, {"chat_id": chat_id, "audio": {"_placeholder": True, "num": 0}}]
        await self._ws.send_str("451-" + orjson.dumps(head).decode())
        await self._ws.send_bytes(audio)

    async def attachment(self) -> bytes:
        """Read on until an attachment."""
        while True:
            message = await self._ws.receive()
            if message.type is aiohttp.WSMsgType.BINARY:
                return bytes(message.data)
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise RuntimeError(f"the line was closed: {message.type}")
            if message.data == "2":
                await self._ws.send_str("3")

    async def close(self) -> None:
        """Go away."""
        await self._ws.close()

    async def _read(self) -> str:
        while True:
            text = str((await self._ws.receive()).data)
            if text == "2":
                await self._ws.send_str("3")
            elif not text.startswith(("4", "0")):
                raise RuntimeError(f"unexpected packet {text[:100]}")
            else:
                return text


async def connect(bench: Bench, *, token: str | None = None) -> Client:
    """Connect a guest, or who the token says."""
    ws = await bench.http.ws_connect(f"{bench.url}/socket.io/?EIO=4&transport=websocket", max_msg_size=0)
    await ws.receive()
    await ws.send_str("40" + orjson.dumps({"token": token} if token else {}).decode())
    client = Client(ws)
    await client.event("connection_confirmed")
    return client


@asynccontextmanager
async def running(*, servers: int = 1) -> AsyncIterator[Bench]:
    """Run everything that a benchmark needs; several servers hear of each other over a Valkey."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mongod_url = await stack.enter_async_context(embedded_mongod(folder))
        valkey_url = await stack.enter_async_context(embedded_valkey(folder)) if servers > 1 else ""
        _, model_url = await stack.enter_async_context(_spawned("server.llm.scripted", "--port", "0"))
        arguments = (mongod_url, model_url, f"bench-{new()[:8]}", valkey_url)
        found = [
            await stack.enter_async_context(_spawned("bench._parts", *arguments)) for _ in range(servers)
        ]
        pids, urls = [process.pid for process, _ in found], [url for _, url in found]
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        yield Bench(urls, pids, mongod_url, model_url.removesuffix("/v1"), http)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@asynccontextmanager
async def _spawned(module: str, *arguments: str) -> AsyncIterator[tuple[Process, str]]:
    process, url = await _spawn(module, *arguments)
    try:
        yield process, url
    finally:
        process.terminate()
        await process.wait()


async def _spawn(module: str, *arguments: str) -> tuple[Process, str]:
    command = (sys.executable, "-m", module, *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, limit=1 << 20)
    if process.stdout is None:
        raise RuntimeError("no output to read the address from")
    return process, (await process.stdout.readline()).decode().strip()


async def _serve(mongod_url: str, model_url: str, database: str, valkey_url: str) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    settings = Settings(
        mongodb_url=SecretStr(mongod_url),
        mongodb_database=database,
        redis_url=SecretStr(valkey_url) if valkey_url else None,
        openai_api_key=SecretStr("none"),
        openai_base_url=model_url,
        openai_model="scripted",
        events_per_second=1e6,
        events_burst=1_000_000,
        connections_per_identity=100_000,
        connections_per_address=100_000,
    )
    app = make_app(settings, secret=SECRET, guests=True)
    app[keys.VOICE].make = NullEngine
    runner = Runner(app, shutdown_timeout=2)
    await runner.setup()
    pack = read_pack(PACK, file="bench")
    await app[keys.STORE].content.put(pack.contents, org="default")
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(*sys.argv[1:]))
