"""What retrieval costs: our server beside the same libraries with nothing around them, in turns.

Both index the same passages and answer the same questions over HTTP. Ratios are of runs in the same minute.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import uvloop

from bench.batch.processes import bench
from bench.fanout.tables import markdown, plain
from bench.retrieval.figures import Figures, Round
from bench.retrieval.measure import Bare, Ours
from bench.retrieval.work import documents, passages, queries


async def measure(given: argparse.Namespace) -> Figures:
    """Run the rounds."""
    figures, texts, asked = Figures(given.passages), passages(given.passages), queries(given.queries)
    with tempfile.TemporaryDirectory() as folder:
        async with bench(Path(folder), endpoint="bench.retrieval.bare") as started:
            ours, bare = Ours(started), Bare(started)
            for _ in range(given.rounds):
                indexed = await ours.index(documents(texts, given.each))
                first, searched = await ours.search(asked)
                figures.ours.append(Round(indexed=indexed, searched=searched, first=first))
                print(f"greenroom {figures.ours[-1]}", file=sys.stderr, flush=True)
                indexed, searched = await bare.index(texts), await bare.search(asked)
                figures.bare.append(Round(indexed=indexed, searched=searched))
                print(f"bare      {figures.bare[-1]}", file=sys.stderr, flush=True)
    return figures


async def run(given: argparse.Namespace) -> None:
    """Measure and print."""
    figures = await measure(given)
    for table in (figures.table(), figures.goals()):
        print(markdown(table) if given.markdown else plain(table), end="\n\n", flush=True)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.retrieval", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--passages", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=10, help="passages of a document")
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--markdown", action="store_true", help="print tables for docs/performance.md")
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
