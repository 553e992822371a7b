"""Jobs whose server is killed in the middle: nothing that was stored is lost, doubled or asked again.

Its room and its ledger agree in the end.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from schemas.envelope import Id
from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.batch.seed_table import FUNCTION, RIGHT
from tests.fold.oracle import log_of
from tests.support.batch_jobs import MIRROR, Message, klarna_cases, talk
from tests.support.batches import check_job
from tests.support.process import ServerProcess, server_process
from tests.support.running import settings_for

CASES = 60
CONCURRENCY = 4


@pytest_asyncio.fixture
async def process(
    mongod_url: str, model: tuple[ScriptedModel, str], tmp_path: Path
) -> AsyncIterator[ServerProcess]:
    """Give a server process, not started yet, whose model takes a moment for every answer."""
    call = {"name": FUNCTION, "arguments": RIGHT}
    model[0].script([{"tool_calls": [call], "first_delay_ms": 40}])
    settings = settings_for(mongod_url, model[1], url_mirror=MIRROR, data_dir=tmp_path)
    async with server_process(settings, tmp_path / "server.log") as running:
        yield running


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("seed", "kills"), [(0, 1), (1, 2), (2, 2)])
async def test_a_killed_server_goes_on_where_it_was(
    process: ServerProcess, model: tuple[ScriptedModel, str], seed: int, kills: int
) -> None:
    chance = random.Random(seed)
    await process.start()
    token = process.token(new(), role="author")
    first: object = klarna_cases(CASES, concurrency=CONCURRENCY)
    seen: list[Message] = []
    asked_at_kills: list[tuple[int, set[str]]] = []  # what was asked, and which prompts had a result then
    for _ in range(kills):
        async with talk(process.url, token, first) as socket:
            seen += await socket.results(chance.randint(1, CASES // 3))
            await process.kill()
        asked_at_kills.append((len(model[0].requests), {result["prompt"] for result in seen}))
        await process.start()
        first = {"resume": seen[0]["job_id"], "from": len(seen)}
    async with talk(process.url, token, first) as socket:
        rest, summary = await socket.whole()
    results = seen + rest
    assert [r["index"] for r in results] == list(range(CASES))
    assert sorted(r["test_case_name"] for r in results) == sorted(f"case {n}" for n in range(CASES))
    assert {r["verdict"] for r in results} == {"Passed"}
    assert summary["status"] == "completed"
    assert summary["details"] == results
    asked = [str(request.messages[-1]["content"]) for request in model[0].requests]
    for count, stored in asked_at_kills:
        assert not stored & set(asked[count:])
    assert len(asked) <= CASES + kills * 5 * CONCURRENCY  # those whose results were not stored yet
    await check_stored(process, seen[0]["job_id"], kills)


async def check_stored(process: ServerProcess, job_id: Id, kills: int) -> None:
    """Check what is stored of a job once all of it is in the room.

    The first process and the last have told that they began; one between them may be killed before it does,
    when all that it gave had been stored by the one before.
    """
    async with asyncio.timeout(30):
        while not (log := await log_of(process.store, f"batch_{job_id}")) or log[-1].name != "batch_ended":
            await process.store.ping()
    assert len(await check_job(process.store, job_id)) == CASES
    assert 2 <= [row.name for row in log].count("batch_started") <= kills + 1
