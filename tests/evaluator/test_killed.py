"""Results whose server is killed in the middle: each run ends exactly once, and its room agrees."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from server.llm.scripted import ScriptedModel
from server.transports import keys
from tests.evaluator.agents import agent
from tests.evaluator.crowds import Crowd
from tests.evaluator.lab import Lab, OpenLab
from tests.support.process import ServerProcess, server_process
from tests.support.running import settings_for

RUNS = 50
LIMIT = 8


@pytest_asyncio.fixture
async def starting(open_lab: OpenLab) -> AsyncIterator[Lab]:
    """Run a server that takes requests and plays nothing."""
    async with open_lab(job_slots=0) as lab:
        yield lab


@pytest_asyncio.fixture
async def playing(
    starting: Lab, mongod_url: str, model: tuple[ScriptedModel, str], tmp_path: Path
) -> AsyncIterator[ServerProcess]:
    """Give a process on the same database, not started yet."""
    database = starting.server.app[keys.SETTINGS].mongodb_database
    settings = settings_for(mongod_url, model[1], data_dir=tmp_path, private_urls=True)
    settings = settings.model_copy(update={"mongodb_database": database})
    async with server_process(settings, tmp_path / "server.log") as process:
        yield process


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("seed", "kills"), [(0, 1), (1, 2)])
async def test_each_run_of_a_killed_server_ends_once(
    starting: Lab, playing: ServerProcess, seed: int, kills: int
) -> None:
    chance = random.Random(seed)
    crowd = Crowd(low=0.02, high=0.3)
    async with agent(crowd.talk) as called:
        scenario = await starting.scenario(await starting.agent(called.url))
        result_id = await starting.start(scenario, freq=RUNS, concurrency_limit=LIMIT)
        await playing.start()
        for _ in range(kills):
            await crowd.until_calls(crowd.calls.total() + chance.randint(1, RUNS // 4))
            await playing.kill()
            await playing.start()
        view = await starting.ended(result_id, within=90)
    assert (view["status"], view["success_rate"], view["total_runs_count"]) == ("completed", 100.0, RUNS)
    runs = view["runs"].values()
    assert sum(run["attempt"] > 1 for run in runs) <= kills * LIMIT
    assert {run: count for run, count in crowd.calls.items() if count > 1}  # somebody was called again
    assert all(crowd.calls[str(run["id"])] <= run["attempt"] for run in runs)
    assert crowd.most <= LIMIT
