"""What a batch job costs: our server beside a bare aiohttp client and promptfoo, in turns, on one endpoint.

The endpoint answers after 100 ms. Ratios are of runs in the same minutes: on a machine that is shared they
are steadier than seconds.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from bench.batch import promptfoo
from bench.batch.figures import Figures
from bench.batch.job import Memory, remember, run_job
from bench.batch.processes import Bench, bench
from bench.fanout.tables import markdown, plain


@dataclass
class Runner:
    """Runs each of the three once a round; salts keep prompts new, so that nothing comes from a cache."""

    bench: Bench
    given: argparse.Namespace
    figures: Figures = field(default_factory=Figures)

    @property
    def template(self) -> Path:
        """Return the file with the last request of our server."""
        return self.bench.folder / "body.json"

    async def warm(self) -> None:
        """Run a job that nobody measures, and keep one of its requests for the others."""
        cases = min(self.given.cases, 300)
        await run_job(self.bench, cases=cases, concurrency=self.given.concurrency, salt="warm")
        async with self.bench.http.get(f"{self.bench.endpoint.url}/body") as response:
            self.template.write_bytes(await response.read())

    async def round(self, number: int) -> None:
        """Measure each once."""
        given, figures = self.given, self.figures
        ours = await run_job(self.bench, cases=given.cases, concurrency=given.concurrency, salt=f"o{number}")
        figures.ours.append(ours)
        _tell("greenroom", ours.wall, ours.server)
        bare = await self.bare(number)
        figures.bare.append(bare)
        _tell("bare", bare.wall, bare.cpu)
        if number < given.promptfoo:
            peer = await self.promptfoo(number)
            figures.promptfoo.append(peer)
            _tell("promptfoo", peer.wall, peer.cpu)

    async def bare(self, number: int) -> promptfoo.Spent:
        """Run the bare client in a process of its own."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.batch.bare", self.bench.endpoint.url, str(self.template)),
            *("--cases", str(self.given.cases), "--at-once", str(self.given.concurrency)),
            *("--salt", f"b{number}"),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        return promptfoo.Spent(**json.loads(output))

    async def promptfoo(self, number: int) -> promptfoo.Spent:
        """Run promptfoo."""
        cases, salt = self.given.cases, f"p{number}"
        asked = promptfoo.config(self.bench.endpoint.url, self.template.read_bytes(), cases, salt=salt)
        folder = self.bench.folder / f"promptfoo-{number}"
        return await promptfoo.evaluate(folder, asked, at_once=self.given.concurrency)


async def measure(given: argparse.Namespace) -> Figures:
    """Run the rounds on one server."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        runner = Runner(await stack.enter_async_context(bench(folder)), given)
        await runner.warm()
        for number in range(given.rounds):
            await runner.round(number)
        return runner.figures


async def measure_memory(given: argparse.Namespace, *, reads: bool) -> Memory:
    """Run a big job on a server that has done a small one before."""
    with tempfile.TemporaryDirectory() as folder:
        async with bench(Path(folder)) as started:
            await run_job(started, cases=300, concurrency=given.concurrency, salt="warm")
            found = await remember(
                started, cases=given.big, concurrency=given.concurrency, salt="big", reads=reads
            )
            print(f"{'reads' if reads else 'does not read'}: {found}", file=sys.stderr, flush=True)
            return found


async def run(given: argparse.Namespace) -> None:
    """Measure and print."""
    figures = await measure(given) if given.rounds else Figures()
    if given.big:
        for reads in (True, False):
            figures.memory[reads] = await measure_memory(given, reads=reads)
    for table in (figures.table(given.cases), figures.goals(given.cases)):
        if len(table) > 1:
            print(markdown(table) if given.markdown else plain(table), end="\n\n", flush=True)


def _tell(name: str, wall: float, cpu: float) -> None:
    print(f"{name:10} {wall:6.2f} s wall {cpu:6.2f} s CPU", file=sys.stderr, flush=True)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.batch", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--promptfoo", type=int, default=3, help="rounds in which it runs, or 0")
    parser.add_argument("--big", type=int, default=20_000, help="cases of the job for memory, or 0")
    parser.add_argument("--markdown", action="store_true", help="print tables for docs/performance.md")
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
