"""What calls of an agent cost: our server beside a bare aiohttp client that plays the same frames, in turns.

The agent answers after 50 ms, and an answer is whole after a quiet half second, so a call of six turns takes
some 4.3 s whoever makes it. Ratios are of runs in the same minute.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

import uvloop

from bench.batch.processes import Bench, bench
from bench.batch.promptfoo import Spent as BareSpent
from bench.evaluator.figures import Figures
from bench.evaluator.result import SCENARIOS, Author
from bench.fanout.tables import markdown, plain


async def bare(bench: Bench, given: argparse.Namespace) -> BareSpent:
    """Run the bare client in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.evaluator.bare", f"{bench.endpoint.url}/"),
        *("--runs", str(given.runs), "--at-once", str(given.at_once)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return BareSpent(**json.loads(output))


async def measure(given: argparse.Namespace) -> Figures:
    """Run the rounds on one server."""
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder:
        async with bench(Path(folder), endpoint="bench.evaluator.agent") as started:
            author = Author(started)
            await author.prepare()
            await author.run(runs=5 * SCENARIOS, at_once=given.at_once)
            for _ in range(given.rounds):
                ours = await author.run(runs=given.runs, at_once=given.at_once)
                print(f"greenroom {ours}", file=sys.stderr, flush=True)
                figures.ours.append(ours)
                figures.bare.append(await bare(started, given))
                print(f"bare      {figures.bare[-1]}", file=sys.stderr, flush=True)
    return figures


async def run(given: argparse.Namespace) -> None:
    """Measure and print."""
    figures = await measure(given)
    for table in (figures.table(given.runs), figures.goals(given.runs, given.at_once)):
        if len(table) > 1:
            print(markdown(table) if given.markdown else plain(table), end="\n\n", flush=True)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.evaluator", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=500, help=f"a multiple of {SCENARIOS}, at most 1000")
    parser.add_argument("--at-once", type=int, default=500)
    parser.add_argument("--markdown", action="store_true", help="print tables for docs/performance.md")
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
