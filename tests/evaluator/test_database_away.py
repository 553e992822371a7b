"""The database of a running result stops or dies: what was said is kept, and the result comes to its end."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from server.embedded.mongod import Mongod, start_mongod
from server.embedded.runfile import database_pid
from server.errors import Unavailable
from server.llm.scripted import ScriptedModel
from tests.evaluator.agents import agent
from tests.evaluator.crowds import Crowd
from tests.evaluator.lab import Lab, lab_on
from tests.support.passing import passes


@dataclass
class Frail:
    """A lab on a database of its own."""

    lab: Lab
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
        """Start the database again with the same data."""
        self.mongod = await start_mongod(self.mongod.data_dir, port=self.mongod.port)


@pytest_asyncio.fixture
async def frail(model: tuple[ScriptedModel, str], tmp_path: Path) -> AsyncIterator[Frail]:
    """Run a lab on a database of its own."""
    async with AsyncExitStack() as stack:
        mongod = await start_mongod(tmp_path)
        lab = await stack.enter_async_context(lab_on(mongod.url, model))
        world = Frail(lab, mongod)
        try:
            yield world
        finally:
            await stack.aclose()  # the server before its database
            await world.mongod.stop()


@pytest.mark.parametrize("seconds", [2.0, 12.0])
async def test_a_result_outlives_a_database_that_stands_still(frail: Frail, seconds: float) -> None:
    crowd = Crowd(low=0.05, high=0.2)
    async with agent(crowd.talk) as called:
        scenario = await frail.lab.scenario(await frail.lab.agent(called.url))
        result_id = await frail.lab.start(scenario, freq=20, concurrency_limit=5)
        await crowd.until_calls(7)
        frail.signal(signal.SIGSTOP)
        await passes(seconds, because="a database that stands still tells of nothing")
        frail.signal(signal.SIGCONT)
        view = await frail.lab.ended(result_id, within=60)
    assert (view["status"], view["success_rate"]) == ("completed", 100.0)
    assert crowd.most <= 5


async def test_a_result_outlives_the_death_of_its_database(frail: Frail) -> None:
    crowd = Crowd(low=0.05, high=0.2)
    async with agent(crowd.talk) as called:
        scenario = await frail.lab.scenario(await frail.lab.agent(called.url))
        result_id = await frail.lab.start(scenario, freq=20, concurrency_limit=5)
        await crowd.until_calls(7)
        await frail.kill()
        with pytest.raises(Unavailable):
            await frail.lab.start(scenario)
        await frail.reborn()
        view = await frail.lab.ended(result_id, within=60)
    assert (view["status"], view["success_rate"]) == ("completed", 100.0)
    assert all(crowd.calls[run] <= brief["attempt"] for run, brief in view["runs"].items())
