"""Adds recorded runs to benchmarks: each once, within bounds, and beside whoever else changes them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from schemas.content import Benchmark, RecordedRun, StoredContent
from schemas.envelope import Id
from server.errors import Conflict, NotFound, TooLarge
from server.store.content import ContentStore

MAX_RUNS = 2_000
MAX_BYTES = 12_000_000  # a document of the database has at most 16 MB
TRIES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended:
    """A benchmark after it was extended, the runs that are new in it, and its version."""

    benchmark: Benchmark
    added: list[RecordedRun]
    version: int


async def extend(
    content: ContentStore, benchmark_id: Id, *, org: str, change: Callable[[Benchmark], Benchmark]
) -> Extended:
    """Apply a change to a benchmark as it is now, again when somebody else changed it meanwhile.

    Raises NotFound, TooLarge, or Conflict when it keeps changing.
    """
    for _ in range(TRIES):
        stored = await content.get("benchmark", benchmark_id, org=org)
        if stored is None:
            raise NotFound("There is no such benchmark, or it is not yours.")
        before, after = await asyncio.to_thread(_changed, stored, change)  # large ones take a while
        written = await content.write("benchmark", after, org=org, version=stored.version)
        if written is not None:
            return _extended(before, after, written)
    raise Conflict("The benchmark is being changed all the time; try again.")


def _changed(stored: StoredContent, change: Callable[[Benchmark], Benchmark]) -> tuple[Benchmark, Benchmark]:
    before = Benchmark.model_validate(stored.body)
    after = change(before)
    check_bounds(after)
    return before, after


def with_runs(benchmark: Benchmark, runs: Sequence[RecordedRun]) -> Benchmark:
    """Return a benchmark with those runs added that it does not have."""
    known = {run.id for run in benchmark.runs}
    new = {run.id: run for run in runs if run.id not in known}
    return benchmark.model_copy(update={"runs": [*benchmark.runs, *new.values()]})


def check_bounds(benchmark: Benchmark) -> None:
    """Raise TooLarge for a benchmark that could not be stored."""
    if len(benchmark.runs) > MAX_RUNS:
        raise TooLarge(
            f"The benchmark would have {len(benchmark.runs):,} runs, at most {MAX_RUNS:,} are possible."
        )
    size = len(benchmark.model_dump_json(exclude_none=True).encode())
    if size > MAX_BYTES:
        raise TooLarge(f"The benchmark would have {size:,} bytes, at most {MAX_BYTES:,} are possible.")


def _extended(before: Benchmark, after: Benchmark, written: StoredContent) -> Extended:
    known = {run.id for run in before.runs}
    return Extended(
        benchmark=after, added=[run for run in after.runs if run.id not in known], version=written.version
    )
