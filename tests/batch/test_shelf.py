"""Results of a job that several processes store at once: each run once, indexes without holes."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.errors import AutoReconnect

from schemas.batch import BatchResult, JobStatus
from schemas.envelope import Id
from server.engine.batch.shelf import MAX_RESULT, Finished, Shelf
from server.engine.ids import new
from server.errors import Unavailable
from server.store import Store, connect
from tests.support.batches import result_of, rows_of
from tests.support.databases import databases

RUNS = 24


@pytest_asyncio.fixture
async def store(mongod_url: str) -> AsyncIterator[Store]:
    """Open a store of its own."""
    opened = connect(mongod_url, databases.name(mongod_url))
    await opened.prepare()
    yield opened
    opened.close()


class Turns:
    """A collection whose calls wait for their turn, which chance decides; some answers are lost."""

    def __init__(self, collection: Any, choose: Callable[[int], int]) -> None:
        self._collection = collection
        self._choose = choose

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    async def insert_many(self, documents: Sequence[Any], **more: Any) -> Any:
        """Insert after some turns of the others; one answer in seven is lost, after the insert."""
        for _ in range(self._choose(4)):
            await asyncio.sleep(0)
        done = await self._collection.insert_many(documents, **more)
        if self._choose(7) == 0:
            raise AutoReconnect("connection closed")
        return done


async def owner(shelf: Shelf, job_id: Id, runs: Sequence[int], choose: Callable[[int], int]) -> None:
    """Store runs in batches as a process does, until it dies perhaps; what it tells of has no holes."""
    told: list[BatchResult] = []
    at = 0
    while at < len(runs):
        size = 1 + choose(5)
        finished = [Finished(run, result_of(job_id, run)) for run in runs[at : at + size]]
        at += size
        while shelf.left(finished):
            with suppress(Unavailable):
                told += await shelf.store(finished)
        if choose(9) == 0:
            break  # it dies here
    assert [r.index for r in told] == list(range(len(told)))


ORDERS = st.tuples(st.permutations(range(RUNS)), st.permutations(range(RUNS)))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(), orders=ORDERS)
async def test_owners_at_once_lose_and_double_nothing(
    store: Store, seed: int, orders: tuple[list[int], list[int]]
) -> None:
    chance = random.Random(seed)  # not drawn: in what order the database answers is chance, too
    job_id, original = new(), store.results._results
    vars(store.results)["_results"] = Turns(original, chance.randrange)
    try:
        shelves = [Shelf(store.results, job_id, total_runs=RUNS) for _ in range(3)]
        owners = (owner(s, job_id, o, chance.randrange) for s, o in zip(shelves[:2], orders, strict=True))
        await asyncio.gather(*owners)
        last = shelves[2]
        while await last.read():
            pass
        left = [Finished(run, result_of(job_id, run)) for run in range(RUNS)]
        while last.left(left):
            with suppress(Unavailable):
                await last.store(left)
        while last.end is None:
            await last.finish("completed")
    finally:
        vars(store.results)["_results"] = original
    *rows, end = await rows_of(store, job_id)
    assert end.end == "completed"
    assert sorted(row.run for row in rows) == list(range(RUNS))
    assert [row.index for row in (*rows, end)] == list(range(RUNS + 1))
    for row in rows:
        assert (read(row).index, read(row).test_case_name) == (row.index, f"case {row.run}")


async def test_who_comes_late_reads_what_others_have_stored(store: Store) -> None:
    job_id = new()
    early, late = (Shelf(store.results, job_id, total_runs=4) for _ in range(2))
    for shelf in (early, late):
        assert await shelf.read() == []
    await early.store([Finished(2, result_of(job_id, 2)), Finished(0, result_of(job_id, 0))])
    mine = [Finished(run, result_of(job_id, run)) for run in (0, 1)]
    told: list[BatchResult] = []
    while late.left(mine):
        told += await late.store(mine)
    assert [(r.index, r.test_case_name) for r in told] == [(0, "case 2"), (1, "case 0"), (2, "case 1")]


@pytest.mark.parametrize("status", ["completed", "cancelled"])
async def test_after_the_end_nothing_is_stored(store: Store, status: JobStatus) -> None:
    job_id = new()
    ending, late = (Shelf(store.results, job_id, total_runs=3) for _ in range(2))
    for shelf in (ending, late):
        await shelf.read()
    await ending.store([Finished(0, result_of(job_id, 0))])
    await ending.finish(status)
    mine = [Finished(1, result_of(job_id, 1))]
    while late.left(mine):
        await late.store(mine)
    assert (late.end, late.count) == (status, 1)
    other: JobStatus = "failed"
    while late.end is None:
        await late.finish(other)
    await store.results.end_all(job_id, other)
    assert [row.end for row in await rows_of(store, job_id)] == [None, status]


async def test_all_can_be_ended_whatever_is_stored(store: Store) -> None:
    for count in (0, 3):
        job_id = new()
        shelf = Shelf(store.results, job_id, total_runs=3)
        await shelf.read()
        if count:
            await shelf.store([Finished(run, result_of(job_id, run)) for run in range(count)])
        await asyncio.gather(*(store.results.end_all(job_id, "failed") for _ in range(2)))
        assert [row.end for row in await rows_of(store, job_id)] == [None] * count + ["failed"]


@pytest.mark.parametrize(
    ("output", "code"), [("\ud800 is no character", "upstream"), ("x" * (MAX_RESULT + 1), "too_large")]
)
async def test_what_cannot_be_kept_is_an_error(store: Store, output: str, code: str) -> None:
    job_id = new()
    shelf = Shelf(store.results, job_id, total_runs=1)
    await shelf.read()
    odd = result_of(job_id, 0).model_copy(update={"final_output": output})
    (kept,) = await shelf.store([Finished(0, odd)])
    assert kept.error is not None
    assert (kept.verdict, kept.error.code, kept.final_output) == ("Error", code, "FAILED")
    assert [r.error for r in map(read, await rows_of(store, job_id))] == [kept.error]


async def test_large_results_are_stored_in_several_writes(store: Store) -> None:
    job_id = new()
    shelf = Shelf(store.results, job_id, total_runs=40)
    await shelf.read()
    wide = {"final_output": "x" * (MAX_RESULT - 10_000)}
    finished = [Finished(run, result_of(job_id, run).model_copy(update=wide)) for run in range(40)]
    writes = 0
    while shelf.left(finished):
        await shelf.store(finished)
        writes += 1
    assert (writes, shelf.count) == (3, 40)


async def test_pages_end_where_they_are_large_and_all_is_read(store: Store) -> None:
    job_id = new()
    shelf, other = (Shelf(store.results, job_id, total_runs=9) for _ in range(2))
    await shelf.read()
    sizes = [1, 1, MAX_RESULT - 10_000, 1, MAX_RESULT - 10_000, MAX_RESULT - 10_000, 1, 1, 1]
    wide = [
        result_of(job_id, run).model_copy(update={"final_output": "x" * n}) for run, n in enumerate(sizes)
    ]
    await shelf.store([Finished(run, result) for run, result in enumerate(wide)])
    first = await store.results.page(job_id, from_=0, limit=100)
    assert [row.index for row in first] == list(range(6))
    assert [row.index for row in await store.results.page(job_id, from_=6, limit=2)] == [6, 7]
    assert len(await other.store([Finished(0, wide[0])])) == 6  # it reads what there is, page by page
    assert len(await other.store([Finished(7, wide[7])])) == 3


def read(row: Any) -> BatchResult:
    """Return a stored result."""
    return BatchResult.model_validate_json(row.j)
