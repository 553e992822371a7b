"""Connections come and go in every way, and everything is back to what it was.

`make soak` starts a database and a server process of its own, and takes some minutes.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from server.embedded.mongod import embedded_mongod
from server.engine.access import mint
from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.settings import as_variables
from server.store import connect
from server.transports.socketio.outbox import SLOW
from tests.soak.ways import ALL, SAID, Guest, Way
from tests.support.attempts import begin
from tests.support.clients import http_client
from tests.support.hole import hole
from tests.support.passing import passes
from tests.support.process import free_port
from tests.support.program import Program
from tests.support.running import SECRET, load_content, settings_for

MB = 1024 * 1024
AT_ONCE = 40
SETTLE_SECONDS = 60.0
PING_TIMEOUT = 8.0  # who reads nothing must be cut for that, and not because its pong was a second late
UNLOAD_SECONDS = 200.0  # rooms are unloaded a minute after their last follower, looked at every half one
PLENTY = 1_000_000
MANY = 10_000  # of fewer the memory tells nothing: the allocator is not warm yet
EACH = 1024  # bytes of it that each of the second half of many may leave; more is a leak
FREE = ("memory", "database")  # what may be more afterwards: the allocator's, and a pool's
KEPT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")
COUNTED = ("connections", "streams", "http_sessions", "addresses", "identities", "tasks", "open_files")
SLOW_ENDED = f'greenroom_connections_ended_total{{reason="{SLOW}",transport="socket"}}'
Held = dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the server held before, at most, and after, and how long it took; memory in bytes."""

    base: Held
    peak: Held
    after: Held
    connections: int
    seconds: float
    errors: int
    slow: int  # connections that were cut because they did not read
    grown: int  # bytes of memory, by the second half of the connections

    @property
    def each(self) -> float:
        """Return the bytes of memory that a connection of the second half left behind."""
        return self.grown / (self.connections - self.connections // 2)

    def lines(self) -> list[str]:
        """Return the report for people."""
        head = f"{self.connections} connections in {self.seconds:.0f} s, {self.errors} errors logged"
        rows = [
            f"{name:14} {self.base[name]:>14,} {self.peak[name]:>14,} {self.after[name]:>14,}"
            for name in self.base
        ]
        plateau = f"each connection of the second half left {self.each:,.0f} bytes of memory"
        return [head, f"{'':14} {'before':>14} {'at most':>14} {'after':>14}", *rows, plateau]


class Soaked:
    """The server process, and what it holds."""

    def __init__(self, program: Program, url: str, http: aiohttp.ClientSession, *, database: int) -> None:
        self.program = program
        self._database = database
        self.url = url
        self.http = http
        self.peak: Held = {}

    async def held(self, *, rooms: bool = False) -> Held:
        """Return what the server holds; connections to its database are a pool, and shown apart."""
        async with self.http.get(f"{self.url}/metrics") as response:
            lines = (await response.text()).splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        names = (*COUNTED, "rooms_loaded") if rooms else COUNTED
        found = {name: int(float(values[f"greenroom_{name}"])) for name in names}
        found["database"] = self.pooled()
        found["open_files"] -= found["database"]
        found["memory"] = self.memory()
        self.peak = {name: max(n, self.peak.get(name, 0)) for name, n in found.items()}
        return found

    async def counted(self, name: str) -> int:
        """Return one of the server's counters."""
        async with self.http.get(f"{self.url}/metrics") as response:
            lines = (await response.text()).splitlines()
        return int(float(next(x for x in lines if x.startswith(f"{name} ")).rsplit(" ", 1)[1]))

    def pooled(self) -> int:
        """Return how many of the process's descriptors are connections to its database."""
        there = f":{self._database:04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        ours = {f"socket:[{row[9]}]" for row in rows if row[2].endswith(there)}
        links = [_link(path) for path in Path(f"/proc/{self.program.pid}/fd").iterdir()]
        return sum(link in ours for link in links)

    def memory(self) -> int:
        """Return the bytes of memory that the process has."""
        lines = Path(f"/proc/{self.program.pid}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def _link(path: Path) -> str:
    """Return what a descriptor is, "" when it was closed meanwhile."""
    try:
        return str(path.readlink())
    except OSError:
        return ""


@asynccontextmanager
async def soaked(mongod_url: str, folder: Path) -> AsyncIterator[Soaked]:
    """Run a server process that notices dead peers within some seconds."""
    model = ScriptedModel()
    settings = settings_for(mongod_url, await model.start()).model_copy(
        update={
            "port": free_port(), "secret": SECRET, "guests": True, "data_dir": folder, "ping_interval": 1.0,
            "ping_timeout": PING_TIMEOUT, "events_per_second": PLENTY, "events_burst": PLENTY,
            "connections_per_address": PLENTY, "connections_per_identity": PLENTY,
        }
    )  # fmt: skip
    store = connect(mongod_url, settings.mongodb_database)
    await store.prepare()
    await load_content(store)
    kept = {key: value for key, value in os.environ.items() if key in KEPT}
    environment = {**kept, **as_variables(settings)}
    program = Program(["server", "serve"], environment=environment, log=folder / "server.log")
    await program.start()
    try:
        async with aiohttp.ClientSession() as http:
            url = f"http://127.0.0.1:{settings.port}"
            yield Soaked(program, url, http, database=urlsplit(mongod_url).port or 0)
    finally:
        await program.stop()
        await model.stop()
        store.close()


async def soak(mongod_url: str, folder: Path, *, count: int, unload: bool) -> Report:
    """Let so many connections come and go; with `unload`, wait also until the rooms are unloaded."""
    async with soaked(mongod_url, folder) as server, hole(server.url) as way:
        token = mint(SECRET, role="learner", profile_id=new(), seconds=24 * 3600)
        async with http_client(server.url, token=token) as learner:
            await learner.connect()
            talk = await begin(learner)
            await talk.say(SAID)
            await learner.send("disconnect")
        guest = Guest(server.url, token, talk.chat_id, hole=way)
        await visit(server, guest, len(ALL))  # what is loaded and pooled once
        base = await settled(server, None, unload=unload)
        server.peak = dict(base)
        began = time.monotonic()
        memory = []
        for part in (count // 2, count - count // 2):
            await visit(server, guest, part)
            memory.append((await settled(server, None, unload=False))["memory"])
        after = await settled(server, base, unload=unload)
        guest.end()
        seconds = time.monotonic() - began
        return Report(
            base=base, peak=server.peak, after=after, connections=count, seconds=seconds,
            errors=await server.counted("greenroom_errors_total"), slow=await server.counted(SLOW_ENDED),
            grown=memory[1] - memory[0],
        )  # fmt: skip


async def visit(server: Soaked, guest: Guest, count: int) -> None:
    """Come and go so often, in every way in turn, some at once."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(way: Way) -> None:
        async with free, asyncio.timeout(SETTLE_SECONDS):
            await way(guest)

    for first in range(0, count, len(ALL) * AT_ONCE):
        part = range(first, min(count, first + len(ALL) * AT_ONCE))
        batch = asyncio.gather(*(one(ALL[number % len(ALL)]) for number in part))
        while not batch.done():
            await server.held(rooms=True)
            await passes(0.2, because="figures are polled")
        batch.result()


async def settled(server: Soaked, base: Held | None, *, unload: bool) -> Held:
    """Return what is held once it is no more than before, or when it has not become less for long."""
    until = time.monotonic() + (UNLOAD_SECONDS if unload else SETTLE_SECONDS)
    while True:
        held = await server.held(rooms=unload)
        if base is None:
            done = held["connections"] == held["streams"] == held.get("rooms_loaded", 0) == 0
        else:
            done = all(held[name] <= base[name] for name in base if name not in FREE)
        if done or time.monotonic() > until:
            return held
        await passes(0.2, because="figures are polled")


async def main(count: int) -> int:
    """Soak a server on a database of its own and print what it held; 1 when something was left."""
    with tempfile.TemporaryDirectory() as folder:
        async with embedded_mongod(Path(folder) / "mongod") as url:
            report = await soak(url, Path(folder), count=count, unload=True)
    print("\n".join(report.lines()))
    left = [name for name in report.base if name not in FREE and report.after[name] > report.base[name]]
    if count >= MANY and report.each > EACH:
        left.append("memory")
    print(f"left behind: {', '.join(left)}" if left else "nothing is left behind")
    return 1 if left or report.errors else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]))))
