"""The database of a running job stops or dies: what was evaluated is kept, and the job comes to its end."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest_asyncio

from server.embedded.mongod import Mongod, start_mongod
from server.embedded.runfile import database_pid
from server.errors import Unavailable
from server.llm.scripted import ScriptedModel
from tests.batch.conftest import Shop, shop_on
from tests.batch.people import person
from tests.support.batches import FINDS, job_of

CASES = 60
PACED = {**FINDS, "first_delay_ms": 100}


@dataclass
class Frail:
    """A shop on a database of its own."""

    shop: Shop
    mongod: Mongod

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the database."""
        pid = database_pid(self.mongod.data_dir / "mongo")
        assert pid is not None
        os.kill(pid, number)

    async def kill(self) -> None:
        """Kill the database."""
        self.mongod.process.kill()
        await self.mongod.process.wait()

    async def reborn(self) -> None:
        """Start the database again with the same data, once it is dead."""
        await self.mongod.process.wait()
        self.mongod = await start_mongod(self.mongod.data_dir, port=self.mongod.port)

    async def asked(self, count: int) -> None:
        """Wait until the model has answered so often."""
        await self.shop.server.model.until("done", count)


@pytest_asyncio.fixture
async def frail(model: tuple[ScriptedModel, str], tmp_path: Path) -> AsyncIterator[Frail]:
    """Run a shop on a database of its own."""
    model[0].script([PACED])
    async with AsyncExitStack() as stack:
        mongod = await start_mongod(tmp_path)
        shop = await stack.enter_async_context(shop_on(mongod.url, model))
        world = Frail(shop, mongod)
        try:
            yield world
        finally:
            await stack.aclose()  # the server before its database
            await world.mongod.stop()


def asked_of(shop: Shop) -> int:
    """Return of how many runs the model was asked."""
    return len({str(seen.messages[-1]["content"]) for seen in shop.server.model.requests})


async def test_a_pause_of_the_database_costs_nothing(frail: Frail) -> None:
    begun = await frail.shop.start(CASES, concurrency=4)
    await frail.shop.results(begun.id, 5)
    frail.signal(signal.SIGSTOP)
    try:
        await frail.asked(len(frail.shop.server.model.requests) + 12)  # the runs go on meanwhile
    finally:
        frail.signal(signal.SIGCONT)
    job = await frail.shop.ended(begun.id)
    assert (job.state, job.results, job.fence) == ("completed", CASES, 1)
    assert len(frail.shop.server.model.requests) == asked_of(frail.shop) == CASES


async def test_who_waits_for_a_summary_is_answered_the_job_while_the_database_is_away(frail: Frail) -> None:
    frail.shop.server.model.script([{"hang": True}])
    async with aiohttp.ClientSession() as http:
        posted = asyncio.create_task(person(frail.shop, http).post(job_of(1), status=202))
        await frail.shop.server.model.until("running", 1)
        await frail.kill()
        try:
            view = await posted
        finally:
            await frail.reborn()
        assert (view["status"], view["total_runs"]) == ("queued", 1)
        assert await person(frail.shop, http).ask("DELETE", f"jobs/{view['job_id']}")


async def test_a_database_that_dies_in_the_middle_loses_and_doubles_nothing(frail: Frail) -> None:
    begun = await frail.shop.start(CASES, concurrency=4)
    await frail.shop.results(begun.id, 5)
    await frail.kill()
    await frail.reborn()
    async with asyncio.timeout(60):
        while True:
            try:
                job = await frail.shop.ended(begun.id)
                break
            except Unavailable:
                continue
    assert (job.state, job.results) == ("completed", CASES)
