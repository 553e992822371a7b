"""One run of the load generator against one server, and what it cost."""

import asyncio
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from typing import Any

import orjson

from bench.fanout.peers import CLIENTS, Bench, Peer

WARM_UP_SECONDS = 1
DELIVERIES_PER_SECOND = 50_000
STOCK_PER_SECOND = 10_000  # what it can do without falling behind


@dataclass(frozen=True, slots=True)
class Sample:
    """What one phase cost its server: CPU microseconds a delivery or ack, and latencies in ms."""

    cost: float
    cpu_seconds: float
    p50: float
    p99: float
    others: float  # cores that neither the server nor the load generator used


async def fan_out(start: Bench, peer: Peer, *, followers: int, seconds: float, burst: int = 1) -> Sample:
    """Deliver entries to followers at a rate of 50,000 deliveries a second (stock: 10,000).

    Each turn's entries are a commit and a write of their own, however late the machine is.
    """
    return await _deliver(start, peer, followers, seconds=seconds, burst=burst, alone="&alone=1")


async def latency(start: Bench, peer: Peer, *, followers: int, seconds: float) -> Sample:
    """Do the same as in production, where entries that come during a commit make up the next one."""
    return await _deliver(start, peer, followers, seconds=seconds, burst=1, alone="")


async def _deliver(
    start: Bench, peer: Peer, followers: int, *, seconds: float, burst: int, alone: str
) -> Sample:
    per_second = STOCK_PER_SECOND if peer.name == "stock" else DELIVERIES_PER_SECOND
    rate = per_second / followers

    def phase(length: float) -> str:
        entries = max(round(rate * length / burst), 1) * burst
        return f"start:n={entries}&rate={rate}&burst={burst}&timeout={60 + 3 * length}{alone}"

    return (await _load(start, peer, followers, phase(WARM_UP_SECONDS), phase(seconds)))[-1]


async def acks(start: Bench, peer: Peer, *, clients: int, seconds: float) -> Sample:
    """Keep one acknowledged event of each client under way."""
    return (await _load(start, peer, clients, "echo:secs=1", f"echo:secs={seconds}"))[-1]


async def idle(start: Bench, peer: Peer, *, clients: int, warm: int) -> float:
    """Return the KiB of resident memory that each connection added, after the first ones."""
    arguments = ("--warm", str(warm), "--settle", "3")
    connected, *_ = await _run(start, peer, clients + warm, *arguments)
    return float(connected["rss_kb_each"])


async def _load(start: Bench, peer: Peer, clients: int, *phases: str) -> list[Sample]:
    arguments = [part for phase in phases for part in ("--phase", phase)]
    _, *found = await _run(start, peer, clients, *arguments)
    return [_sample(peer, phase) for phase in found]


async def _run(start: Bench, peer: Peer, clients: int, *arguments: str) -> list[dict[str, Any]]:
    where = ("--port", peer.port, "--control", peer.control, "--pid", peer.pid, "--conns", clients)
    process = await asyncio.create_subprocess_exec(
        start.load, *map(str, where), *CLIENTS[peer.name], *arguments, stdout=PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the load generator failed against {peer.name}")
    return [orjson.loads(line) for line in output.splitlines()]


def _sample(peer: Peer, phase: dict[str, Any]) -> Sample:
    if phase["lost"] > 0 or not phase["units"]:
        raise RuntimeError(f"{peer.name} lost {phase['lost']} of {phase['phase']}")
    cpu = phase["user_s"] + phase["sys_s"]
    return Sample(
        cost=cpu / phase["units"] * 1e6,
        cpu_seconds=cpu,
        p50=phase["p50_us"] / 1000,
        p99=phase["p99_us"] / 1000,
        others=phase["others"],
    )
