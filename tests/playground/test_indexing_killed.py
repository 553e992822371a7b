"""Indexing whose server or database is killed or stands still: each document is searched, once."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from schemas.pipeline import Pipeline
from server.embedded.mongod import Mongod, start_mongod
from server.embedded.runfile import database_pid
from server.llm.scripted import ScriptedModel
from server.transports import keys
from tests.playground.stacks import LONG, OpenStacks, Stacks, database_of, stacks_on
from tests.support.passing import passes
from tests.support.process import ServerProcess, server_process
from tests.support.running import settings_for

DOCUMENTS = 400


@pytest_asyncio.fixture
async def idle(open_stacks: OpenStacks) -> AsyncIterator[Stacks]:
    """Run a server that indexes nothing."""
    async with open_stacks(job_slots=0) as stacks:
        yield stacks


@pytest_asyncio.fixture
async def indexing(
    idle: Stacks, mongod_url: str, model: tuple[ScriptedModel, str], tmp_path: Path
) -> AsyncIterator[ServerProcess]:
    """Give a process on the same database, not started yet."""
    settings = settings_for(mongod_url, model[1], data_dir=tmp_path)
    settings = settings.model_copy(update={"mongodb_database": database_of(idle)})
    async with server_process(settings, tmp_path / "server.log") as process:
        yield process


async def fill(stacks: Stacks, count: int) -> Pipeline:
    """Make a pipeline with many documents."""
    pipeline = await stacks.pipeline()
    await stacks.put(pipeline, {f"d{n}": f"Document {n}. {LONG}" for n in range(count)})
    return pipeline


async def until_indexed(stacks: Stacks, pipeline: Pipeline, least: int) -> None:
    """Return once so many documents are indexed."""

    async def enough() -> bool:
        return (await stacks.store.pipeline_documents.states(pipeline.id))["indexed"] >= least

    await stacks.until(enough)


async def check_whole(stacks: Stacks, pipeline: Pipeline, count: int) -> None:
    """Check that all is indexed, and that nothing but what is searched is left."""
    assert await stacks.settled(pipeline, within=90) == {"indexed": count}
    await stacks.sweep()
    chunks = sum(d.chunks for d in await stacks.store.pipeline_documents.findable(pipeline.id, limit=count))
    assert await stacks.all_chunks(pipeline) == chunks


@pytest.mark.parametrize("share", [0.05, 0.5])
async def test_each_document_of_a_killed_server_is_indexed_once(
    idle: Stacks, indexing: ServerProcess, share: float
) -> None:
    pipeline = await fill(idle, DOCUMENTS)
    await indexing.start()
    await until_indexed(idle, pipeline, int(DOCUMENTS * share))
    await indexing.kill()
    assert await idle.store.indexing.waits(pipeline.id)
    await idle.check(pipeline)  # what is searched is whole at any time
    await indexing.start()
    await check_whole(idle, pipeline, DOCUMENTS)


@pytest_asyncio.fixture
async def frail(model: tuple[ScriptedModel, str], tmp_path: Path) -> AsyncIterator[tuple[Stacks, Mongod]]:
    """Run a server on a database of its own."""
    async with AsyncExitStack() as stack:
        mongod = await start_mongod(tmp_path)
        stacks = await stack.enter_async_context(stacks_on(mongod.url, model))
        try:
            yield stacks, mongod
        finally:
            await stack.aclose()  # the server before its database
            await mongod.stop()


@pytest.mark.parametrize("seconds", [2.0, 12.0])
async def test_indexing_outlives_a_database_that_stands_still(
    frail: tuple[Stacks, Mongod], seconds: float
) -> None:
    stacks, mongod = frail
    pipeline = await fill(stacks, DOCUMENTS)
    await until_indexed(stacks, pipeline, 1)
    pid = database_pid(mongod.data_dir / "mongo")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await passes(seconds, because="a database that stands still tells of nothing")
    os.kill(pid, signal.SIGCONT)
    await check_whole(stacks, pipeline, DOCUMENTS)
    assert stacks.server.app[keys.INDEX_KEEPER].running == 0
