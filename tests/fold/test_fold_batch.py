"""Replay equals reality: the folded log of a batch job equals what is stored of it, for every event."""

from collections.abc import AsyncIterator

import pytest_asyncio

from server.engine.batch.rooms import batch_room
from server.llm.scripted import ScriptedModel
from server.rooms.folds import BATCH_EVENTS
from server.transports import keys
from tests.fold.oracle import log_of
from tests.support.batches import FINDS, MIRROR, check_job, identity, job_of, until_ended, until_results
from tests.support.running import Server, running, settings_for

CALLS_NOTHING = {"match": {"any_contains": "take 1."}, "reply": "I have no cups."}
REFUSES = {"match": {"any_contains": "take 2."}, "status": 400}
WAITS = {"match": {"any_contains": "take 3."}, **FINDS, "first_delay_ms": 60_000}


@pytest_asyncio.fixture
async def shop(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Server]:
    """Run a server that fetches plugins from the tests' mirror."""
    settings = settings_for(mongod_url, model[1], url_mirror=MIRROR)
    async with running(settings) as (url, app):
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))


async def test_the_log_of_a_job_folds_to_what_is_stored(shop: Server) -> None:
    author, batches, store = identity(), shop.app[keys.BATCHES], shop.app[keys.STORE]
    await shop.script(CALLS_NOTHING, REFUSES, FINDS)
    done = await batches.start(author, job_of(60))
    await until_ended(batches, author, done.id)
    await shop.script(WAITS, CALLS_NOTHING, REFUSES, FINDS)
    stopped = await batches.start(author, job_of(8))
    await until_results(batches, author, stopped.id, 7)
    await batches.cancel(author, stopped.id)
    await until_ended(batches, author, stopped.id)
    await shop.app[keys.HUB].log.flush()
    seen: set[str] = set()
    for job_id, count in ((done.id, 60), (stopped.id, 7)):
        results = await check_job(store, job_id)
        assert len(results) == count
        assert {r.verdict for r in results} == {"Passed", "Failed", "Error"}
        log = await log_of(store, batch_room(job_id))
        seen |= {row.name for row in log}
    assert seen == BATCH_EVENTS
