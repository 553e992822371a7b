"""What a delivery costs: this server beside Node's socket.io, python-socketio and a bare C sender, in turns.

It prints CPU time, user and system, of the server process for each delivery, and the ratios of runs that were
made in the same minutes; on a machine that is shared these are steadier than rates.
"""

import argparse
import resource
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import uvloop

from bench.fanout.figures import LATENCY, PEERS, Samples
from bench.fanout.measure import Sample, acks, fan_out, idle, latency
from bench.fanout.peers import Bench, Name, Peer, bench
from bench.fanout.tables import markdown, plain

FILES = 20_000
ACK_CLIENTS = 100
TURNS = 1000  # followers of what is measured with 10 entries a turn
WARM = 500
Names = tuple[Name, ...]
Work = Callable[[Peer], Awaitable[Sample]]
FAN_OUT: Names = ("greenroom", "node", "stock", "sender")
TIMED: Names = ("greenroom", "node", "sender")
ACKS: Names = ("greenroom", "transport", "node", "stock")
MEMORY: dict[Name, Name] = {"distinct": "greenroom", "node": "node", "stock": "stock"}


async def measure(given: argparse.Namespace) -> Samples:
    """Run everything that was asked for."""
    samples = Samples()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        start = await stack.enter_async_context(bench(folder))
        peers = [await stack.enter_async_context(start.peer(name)) for name in given.peers]
        for _, names, work in works(start, given, seconds=2.0):  # only warms everybody up
            for peer in (peer for peer in peers if peer.name in names):
                await work(peer)
        for _ in range(given.rounds):
            for what, names, work in works(start, given, seconds=given.seconds):
                for peer in (peer for peer in peers if peer.name in names):
                    samples.add(what, peer.name, await work(peer))
                    told(what, peer.name, samples)
    return samples


def works(start: Bench, given: argparse.Namespace, *, seconds: float) -> list[tuple[str, Names, Work]]:
    """Return what a round does: its name, the servers that do it in turn, and the doing."""
    found: list[tuple[str, Names, Work]] = []
    for followers in given.followers:
        one = partial(fan_out, start, followers=followers, seconds=seconds)
        found.append((f"followers {followers}", FAN_OUT, one))
        if followers == TURNS:
            many = partial(fan_out, start, followers=followers, seconds=seconds, burst=10)
            found.append((f"followers {followers}, 10 a turn", FAN_OUT, many))
            late = partial(latency, start, followers=followers, seconds=seconds)
            found.append((LATENCY, TIMED, late))
    found.append(("acks", ACKS, partial(acks, start, clients=ACK_CLIENTS, seconds=seconds / 2)))
    return found


def told(what: str, name: Name, samples: Samples) -> None:
    """Say what was just measured, so that one sees it go on."""
    sample = samples.found[what][name][-1]
    print(
        f"{what:26} {name:10} {sample.cost:7.2f} µs of {sample.cpu_seconds:5.2f} s"
        f"  p99 {sample.p99:7.1f} ms  others {sample.others:.2f}",
        file=sys.stderr,
        flush=True,
    )


async def remember(given: argparse.Namespace) -> dict[Name, float]:
    """Measure the memory of idle connections, on servers that have done nothing before."""
    found: dict[Name, float] = {}
    for name, as_name in MEMORY.items():
        if as_name in given.peers:
            with tempfile.TemporaryDirectory() as folder:
                async with bench(Path(folder)) as start, start.peer(name) as peer:
                    found[as_name] = await idle(start, peer, clients=given.idle, warm=WARM)
    return found


async def run(given: argparse.Namespace) -> None:
    """Measure and print."""
    samples = Samples() if given.rounds == 0 else await measure(given)
    if given.idle:
        samples.memory.update(await remember(given))
    goals = [("figure", "median", "rounds", "goal", "met"), *(f.cells() for f in samples.figures())]
    for table in (samples.table(), goals):
        print(markdown(table) if given.markdown else plain(table), end="\n\n", flush=True)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.fanout", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of one measurement")
    parser.add_argument("--followers", type=numbers, default=[100, 1000, 5000], help="100,1000,5000")
    parser.add_argument("--idle", type=int, default=5000, help="connections whose memory is measured, or 0")
    parser.add_argument("--peers", type=names, default=list(PEERS), help=",".join(PEERS))
    parser.add_argument("--markdown", action="store_true", help="print tables for docs/performance.md")
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))
    uvloop.run(run(given))


def numbers(text: str) -> list[int]:
    """Read numbers with commas between."""
    return [int(part) for part in text.split(",")]


def names(text: str) -> list[Name]:
    """Read names of servers; raises ValueError."""
    given = text.split(",")
    if unknown := set(given) - set(PEERS):
        raise ValueError(f"no server is called {unknown}")
    return [name for name in PEERS if name in given]


if __name__ == "__main__":
    main()
