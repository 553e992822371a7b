"""Queues of jobs on a queue in the process, on a shared Valkey, and on one of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from server.engine.ids import new
from server.jobs import Jobs
from tests.support.valkey import ValkeyServer, valkey_server

MakeJobs = Callable[..., Jobs]


@pytest_asyncio.fixture
async def valkey() -> AsyncIterator[ValkeyServer]:
    """Run a Valkey that the test may kill."""
    async with valkey_server() as running:
        yield running


@pytest_asyncio.fixture
async def run_jobs() -> AsyncIterator[Callable[[Jobs], asyncio.Task[None]]]:
    """Return what runs a Jobs until the test ends."""
    running: list[asyncio.Task[None]] = []

    def run(jobs: Jobs) -> asyncio.Task[None]:
        running.append(asyncio.create_task(jobs.run()))
        return running[-1]

    yield run
    for task in running:
        task.cancel()
    for done in await asyncio.gather(*running, return_exceptions=True):
        assert isinstance(done, asyncio.CancelledError), done


@pytest.fixture(params=["memory", "valkey"])
def make_jobs(request: pytest.FixtureRequest) -> MakeJobs:
    """Return a maker of Jobs that share one queue."""
    name = new()
    url = request.getfixturevalue("valkey_url") if request.param == "valkey" else None

    def make(*, slots: int = 4, **options: float) -> Jobs:
        return Jobs(url=url, name=name, slots=slots, **options)

    return make
