"""What several processes cost: delivery across them beside a raw Valkey, and one fan-out on 1 and on 2.

Publisher and follower are processes of their own, as are the two ends of the raw publish and receive that is
measured between their rounds. All times are of the system's monotonic clock, which processes share.
"""

import argparse
import asyncio
import logging
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import redis.asyncio
import structlog
import uvloop

from bench._parts import PRACTICE, Bench, Client, running
from server.embedded.mongod import embedded_mongod
from server.embedded.valkey import embedded_valkey
from server.engine.ids import new
from server.rooms.entry import Entry, Sound
from server.rooms.follower import Follower
from server.rooms.hub import Hub
from server.rooms.process import Process as Life
from server.rooms.snapshot import Snapshots
from server.rooms.valkey_bell import ValkeyBell
from server.store import connect as connect_store

DATABASE = "bench"
TEXT = "word " * 20
WARM_UP = 20


class Clock:
    """A sink that notes when each entry came."""

    size = 0

    def __init__(self) -> None:
        self.at: list[int] = []

    def write(self, entries: Sequence[Entry]) -> None:
        """Note the time."""
        self.at += [time.monotonic_ns()] * len(entries)

    def sound(self, sound: Sound) -> None:
        """Take no sound."""

    def answer(self, event: str, data: bytes) -> None:
        """Ignore what has no number."""

    async def drained(self) -> None:
        """Return at once: nothing ever waits."""

    def abort(self, reason: str) -> None:
        """End the process: nothing may be cut here."""
        raise RuntimeError(reason)


async def node(mongod_url: str, valkey_url: str) -> None:
    """Obey commands from stdin: `join ROOM`, `publish ROOM COUNT PAUSE`, `report`."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    store = connect_store(mongod_url, DATABASE)
    await store.prepare()
    life = Life(f"node-{new()}", store.processes)
    await life.beat()
    bell = ValkeyBell(valkey_url, prefix="bench:", process=life.name, key=lambda: life.secret)
    snapshots = Snapshots(store.entries, {}, epoch=lambda: life.epoch)
    hub = Hub(store.entries, process=life, bell=bell, snapshots=snapshots)
    tasks = [asyncio.create_task(run()) for run in (life.run, hub.log.run, hub.run, bell.run)]
    await bell.up.wait()
    clock = Clock()
    async for command in commands():
        if command[0] == "join":
            room = await hub.room(command[1])
            Follower(clock, hub.wake).follow(room, room.head)
        elif command[0] == "publish":
            say(await publish(hub, command[1], count=int(command[2]), pause=float(command[3])))
            continue
        say(clock.at)
        clock.at = []
    for task in tasks:
        task.cancel()


async def publish(hub: Hub, room: str, *, count: int, pause: float) -> list[tuple[int, int]]:
    """Publish entries one by one; return when each was handed in and when it was durable."""
    times = []
    for n in range(count):
        began = time.monotonic_ns()
        await hub.log.publish(room, "attempt_progress", b'{"content":"%b","n":%d}' % (TEXT.encode(), n))
        times.append((began, time.monotonic_ns()))
        await asyncio.sleep(pause)
    return times


async def raw(valkey_url: str) -> None:
    """Obey the same commands with nothing but a client of Redis between."""
    client = redis.asyncio.Redis.from_url(valkey_url, protocol=2)
    at: list[int] = []
    hearing: asyncio.Task[None] | None = None

    async def hear(room: str, heard: asyncio.Event) -> None:
        async with client.pubsub() as channel:
            await channel.subscribe(room)
            async for message in channel.listen():
                if message["type"] == "message":
                    at.append(time.monotonic_ns())
                heard.set()

    async for command in commands():
        if command[0] == "join":
            heard = asyncio.Event()
            hearing = asyncio.create_task(hear(command[1], heard))
            await heard.wait()
        elif command[0] == "publish":
            times = []
            for n in range(int(command[2])):
                times.append((time.monotonic_ns(),) * 2)
                await client.publish(command[1], f"{n} {TEXT}")
                await asyncio.sleep(float(command[3]))
            say(times)
            continue
        say(at)
        at.clear()
    if hearing is not None:
        hearing.cancel()


async def commands() -> AsyncIterator[list[str]]:
    """Yield the commands that the parent writes."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        yield line.decode().split()


def say(answer: object) -> None:
    """Answer the parent."""
    sys.stdout.write(orjson.dumps(answer).decode() + "\n")
    sys.stdout.flush()


@asynccontextmanager
async def child(*arguments: str) -> AsyncIterator[Process]:
    """Run this module as another process."""
    command = (sys.executable, "-m", "bench.bell", *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=1 << 24)
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


async def ask(process: Process, *command: object) -> Any:
    """Send a command and return its answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(" ".join(map(str, command)).encode() + b"\n")
    return orjson.loads(await process.stdout.readline())


async def round_of(one: Process, other: Process, *, count: int, pause: float) -> list[tuple[float, float]]:
    """Return milliseconds from publishing to arrival, and from durable to arrival."""
    room = f"attempt_{new()}"
    await ask(other, "join", room)
    sent = await ask(one, "publish", room, count, pause)
    got: list[int] = []
    while len(got) < count:
        got += await ask(other, "report")
    pairs = zip(sent, got, strict=True)
    return [((at - began) / 1e6, (at - done) / 1e6) for (began, done), at in pairs][WARM_UP:]


async def latency(*, count: int, rounds: int, pause: float) -> None:
    """Print how long delivery to another process takes."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mongod_url = await stack.enter_async_context(embedded_mongod(folder))
        valkey_url = await stack.enter_async_context(embedded_valkey(folder))
        nodes = [await stack.enter_async_context(child("--node", mongod_url, valkey_url)) for _ in range(2)]
        raws = [await stack.enter_async_context(child("--raw", valkey_url)) for _ in range(2)]
        ours: list[tuple[float, float]] = []
        theirs: list[float] = []
        for _ in range(rounds):
            ours += await round_of(nodes[0], nodes[1], count=count, pause=pause)
            theirs += [ms for ms, _ in await round_of(raws[0], raws[1], count=count, pause=pause)]
    after = [ms for _, ms in ours]
    figures = {
        "publish to released": [ms for ms, _ in ours],
        "of it, after durable": after,
        "raw Valkey": theirs,
    }
    for label, found in figures.items():
        print(f"{label:22} p50 {middle(found):6.2f} ms  p99 {tail(found):6.2f} ms", flush=True)
    ratios = middle(after) / middle(theirs), tail(after) / tail(theirs)
    print(f"after durable / raw    p50 {ratios[0]:6.2f}     p99 {ratios[1]:6.2f}", flush=True)


def middle(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def tail(values: list[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(values, n=100)[98]


async def fan_out(*, followers: int, chunks: int, rounds: int) -> None:
    """Print the servers' CPU time for each delivery, with all followers on one process and on two."""
    costs: dict[int, float] = {}
    for count in (1, 2):
        async with running(servers=count) as bench:
            found = [await deliveries(bench, followers=followers, chunks=chunks) for _ in range(rounds + 1)]
            costs[count] = statistics.median(found[1:])  # the first only warms up
            print(
                f"fan-out on {count}: {costs[count]:6.2f} us CPU a delivery, {followers} followers",
                flush=True,
            )
    print(f"two / one {costs[2] / costs[1]:.2f}")


async def deliveries(bench: Bench, *, followers: int, chunks: int) -> float:
    """Return the CPU microseconds of all servers for one delivery of one reply to its followers."""
    await bench.script(chunks_count=chunks, chunk_text=TEXT, delay_ms=5)
    guest = new()
    clients = [await follower(bench, guest, n) for n in range(followers)]
    chat = await clients[0].call("attempt_start", practice_id=PRACTICE)
    ids = {"attempt_id": chat["attempt_id"], "chat_id": chat["chat_id"]}
    for client in clients[1:]:
        await client.call("attempt_join", chat_id=chat["chat_id"])
    before = bench.cpu(), await bench.figure("deliveries_total")
    await clients[0].send("attempt_message", message="Go on.", **ids)
    await asyncio.gather(*(client.event("attempt_assistant_complete") for client in clients))
    spent = bench.cpu() - before[0]
    made = await bench.figure("deliveries_total") - before[1]
    await asyncio.gather(*(client.close() for client in clients))
    return spent / made * 1e6


async def follower(bench: Bench, guest: str, number: int) -> Client:
    """Connect one of a guest's many clients, to the servers in turn."""
    url = bench.urls[number % len(bench.urls)]
    ws = await bench.http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket", max_msg_size=0)
    await ws.receive()
    await ws.send_str(f'40{{"guest_id":"{guest}"}}')
    client = Client(ws)
    await client.event("connection_confirmed")
    return client


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="entries of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pause", type=float, default=0.005, help="seconds between entries")
    parser.add_argument("--followers", type=int, default=100)
    parser.add_argument("--chunks", type=int, default=400, help="of the reply that is followed")
    parser.add_argument("--node", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--raw", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.node:
        uvloop.run(node(*given.node))
    elif given.raw:
        uvloop.run(raw(given.raw))
    else:
        uvloop.run(latency(count=given.count, rounds=given.rounds, pause=given.pause))
        uvloop.run(fan_out(followers=given.followers, chunks=given.chunks, rounds=given.rounds))


if __name__ == "__main__":
    main()
