"""What goes wrong while documents are indexed: models, processes, the database, and changes in between."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr

from server.engine.ids import new
from server.engine.playground.indexing.keeper import IndexKeeper
from server.engine.playground.indexing.parts import Parts
from server.jobs.queue import Jobs
from server.store.indexing import LOOK, Lost
from server.transports import keys
from server.transports.figures import figures_of
from tests.playground.client import filled, indexed
from tests.playground.stacks import LONG, OpenStacks, Stacks, database_of
from tests.recovery.test_leases import lose
from tests.support.passing import passes
from tests.support.rest import People
from tests.support.running import Server

GHOST = "ghost-1"
HANG = {"match": {"endpoint": "embeddings"}, "hang": True}


async def haunt(stacks: Stacks, pipeline_id: str) -> None:
    """Let a pipeline be as a dead process has left it."""
    ghost = {"_id": pipeline_id, "process": GHOST, "fence": 7}
    await stacks.store.database.indexing.replace_one({"_id": pipeline_id}, ghost, upsert=True)


async def test_a_model_that_is_away_is_waited_for(open_stacks: OpenStacks) -> None:
    async with open_stacks(embedding_model="vectors", model_retries=0) as stacks:
        await stacks.server.script({"match": {"endpoint": "embeddings"}, "status": 503, "times": 2})
        pipeline = await stacks.pipeline()
        await stacks.put(pipeline, {"a": LONG, "b": "Two."})
        assert await stacks.settled(pipeline) == {"indexed": 2}


async def test_a_model_that_refuses_is_told_of_and_tried_again_when_asked(open_stacks: OpenStacks) -> None:
    async with open_stacks(embedding_model="vectors", model_retries=0) as stacks:
        await stacks.server.script({"match": {"endpoint": "embeddings"}, "status": 401})
        pipeline = await stacks.pipeline()
        await stacks.put(pipeline, {"a": "One.", "b": "Two."})
        assert await stacks.settled(pipeline) == {"failed": 2}
        assert "refused the key" in ((await stacks.document(pipeline, "a")).error or "")
        await stacks.server.script()
        assert await stacks.server.app[keys.INDEXING].retry(pipeline.id) == 2
        assert await stacks.settled(pipeline) == {"indexed": 2}
        assert (await stacks.document(pipeline, "a")).error is None


async def test_a_document_that_is_refused_does_not_hold_up_the_others(open_stacks: OpenStacks) -> None:
    async with open_stacks(embedding_model="vectors") as stacks:
        refused = {"endpoint": "embeddings", "any_contains": "poison"}
        await stacks.server.script({"match": refused, "status": 400})
        pipeline = await stacks.pipeline()
        await stacks.put(pipeline, {"a": "One.", "b": "poison", "c": LONG})
        assert await stacks.settled(pipeline) == {"indexed": 2, "failed": 1}
        assert (await stacks.document(pipeline, "b")).state == "failed"


async def test_a_document_that_breaks_the_code_does_not_hold_up_the_others(stacks: Stacks) -> None:
    pipeline = await stacks.pipeline()
    await stacks.put(pipeline, {"a": "One.", "b": "Two.", "c": LONG}, wake=False)
    row = {"pipeline_id": pipeline.id, "id": "b"}
    broken = {"$set": {"metadata": b"[1]"}}  # what is never stored
    await stacks.store.database.pipeline_documents.update_one(row, broken)
    await stacks.wake(pipeline)
    assert await stacks.settled(pipeline) == {"indexed": 2, "failed": 1}
    found = await stacks.store.database.pipeline_documents.find_one(row)
    assert found is not None
    assert "mistake on our side" in found["error"]


async def test_what_a_dead_process_was_at_is_adopted(open_stacks: OpenStacks) -> None:
    async with open_stacks(job_slots=0) as idle:
        pipeline = await idle.pipeline()
        await haunt(idle, pipeline.id)
        await idle.put(pipeline, {"a": LONG})
        async with open_stacks(mongodb_database=database_of(idle)) as stacks:
            assert await stacks.settled(pipeline) == {"indexed": 1}


async def test_pipelines_of_another_embedder_are_looked_for_until_none_is_left(
    open_stacks: OpenStacks,
) -> None:
    async with open_stacks(job_slots=0) as stacks:
        rows = [{"_id": new(), "fence": 1, "embedder": "another"} for _ in range(LOOK + 1)]
        ledger, app = stacks.store.database.indexing, stacks.server.app
        await ledger.insert_many(rows)
        nobody = Jobs(url=None, name=new(), slots=0)  # the server's own keeper looks as well
        parts = Parts(store=stacks.store, jobs=nobody, process=app[keys.PROCESS], embedder=app[keys.EMBEDDER])
        find = IndexKeeper(parts).find
        assert [len(await find()) for _ in range(3)] == [LOOK] * 3
        await ledger.delete_many({"_id": {"$in": [row["_id"] for row in rows[:LOOK]]}})
        assert await find() == [("index", rows[-1]["_id"])]
        assert await find() == []


async def test_a_process_that_stops_gives_back_what_it_is_at(open_stacks: OpenStacks) -> None:
    async with open_stacks(embedding_model="vectors") as stopping:
        await stopping.server.script(HANG)
        pipeline = await stopping.pipeline()
        await stopping.put(pipeline, {"a": LONG})
        await stopping.server.model.until("running")
        assert stopping.server.app[keys.INDEX_KEEPER].running == 1
        assert figures_of(stopping.server.app).jobs == 1  # as ops are told
    async with open_stacks(mongodb_database=database_of(stopping), embedding_model="vectors") as stacks:
        row = await stacks.store.database.indexing.find_one({"_id": pipeline.id})
        assert row is not None
        assert row.get("process") in (None, stacks.server.app[keys.PROCESS].name)
        await stacks.server.script()
        assert await stacks.settled(pipeline) == {"indexed": 1}


async def test_a_process_that_loses_its_lease_stops_and_begins_again(open_stacks: OpenStacks) -> None:
    async with open_stacks(embedding_model="vectors") as stacks:
        await stacks.server.script({**HANG, "times": 1})
        pipeline = await stacks.pipeline()
        await stacks.put(pipeline, {"a": LONG})
        await stacks.server.model.until("running")
        lose(stacks.server)
        await stacks.server.model.until("closed_by_client")
        assert await stacks.settled(pipeline) == {"indexed": 1}


async def test_who_has_lost_a_pipeline_changes_nothing(open_stacks: OpenStacks) -> None:
    async with open_stacks(embedding_model="vectors") as stacks:
        await stacks.server.script({"match": {"endpoint": "embeddings"}, "first_delay_ms": 1000})
        pipeline = await stacks.pipeline()
        await stacks.put(pipeline, {"a": LONG})
        await stacks.server.model.until("running")
        await stacks.store.processes.beat(GHOST)  # it lives, and has taken the pipeline over
        await haunt(stacks, pipeline.id)
        await stacks.server.model.until("done")
        async with asyncio.timeout(20):
            while stacks.server.app[keys.INDEX_KEEPER].running:
                await passes(0.02, because="the job ends without telling anybody")
        assert (await stacks.store.chunks.live(pipeline.id)) == (0, {})
        assert (await stacks.document(pipeline, "a")).state == "queued"


@pytest.mark.parametrize("what", ["fail", "requeue"])
async def test_a_pipeline_that_is_being_taken_over_is_left_to_who_takes_it(
    open_stacks: OpenStacks, what: str
) -> None:
    async with open_stacks(job_slots=0) as stacks:
        indexing, database = stacks.store.indexing, stacks.store.database
        pipeline = await stacks.pipeline()
        await stacks.put(pipeline, {"a": LONG}, wake=False)
        claim = await indexing.claim(pipeline.id, GHOST, living=[])
        assert claim is not None
        async with await database.client.start_session() as session, session.start_transaction():
            taken = {"$set": {"process": "another"}, "$inc": {"fence": 1}}
            await database.indexing.update_one({"_id": pipeline.id}, taken, session=session)
            change = indexing.fail_all(claim, "x") if what == "fail" else indexing.requeue(claim)
            late = asyncio.create_task(change)
            await passes(0.05, because="who comes too late tells nobody that it waits")
        with pytest.raises(Lost):
            await late
        document = await stacks.document(pipeline, "a")
        assert (document.state, document.revision) == ("queued", 1)


@pytest.mark.parametrize("what", ["deleted", "rewritten", "pipeline"])
async def test_a_document_that_changes_meanwhile_is_not_brought_back(
    open_stacks: OpenStacks, what: str
) -> None:
    async with open_stacks(embedding_model="vectors") as stacks:
        first = {"match": {"endpoint": "embeddings"}, "times": 1, "first_delay_ms": 800}
        await stacks.server.script(first)
        pipeline = await stacks.pipeline()
        await stacks.put(pipeline, {"a": LONG, "b": "Stays."})
        await stacks.server.model.until("running")
        if what == "deleted":
            await stacks.store.pipeline_documents.delete(pipeline.id, "a")
        elif what == "rewritten":
            await stacks.put(pipeline, {"a": "New."})
        else:
            await stacks.store.pipelines.delete(pipeline.id)
        wanted = {"deleted": {"Stays."}, "rewritten": {"New.", "Stays."}, "pipeline": set()}[what]

        async def there() -> bool:
            return await stacks.texts(pipeline) == wanted

        await stacks.server.model.until("done")
        await stacks.until(there)
        if what != "pipeline":
            await stacks.settled(pipeline)
            await stacks.sweep()
            assert await stacks.all_chunks(pipeline) == len(wanted)


async def test_a_large_pipeline_does_not_hold_up_a_small_one(open_stacks: OpenStacks) -> None:
    async with open_stacks(embedding_model="vectors") as stacks:
        await stacks.server.script({"match": {"endpoint": "embeddings"}, "first_delay_ms": 100})
        large, small = await stacks.pipeline(), await stacks.pipeline()
        await stacks.put(large, {f"d{n}": LONG * 5 for n in range(40)})
        await stacks.server.model.until("running")
        await stacks.put(small, {"a": "One."})
        assert await stacks.settled(small) == {"indexed": 1}
        assert await stacks.store.indexing.waits(large.id)


async def test_two_servers_share_pipelines_and_index_each_document_once(
    open_stacks: OpenStacks, valkey_url: str
) -> None:
    shared = {"redis_url": SecretStr(valkey_url), "embedding_model": "vectors"}
    async with AsyncExitStack() as both:
        one = await both.enter_async_context(open_stacks(**shared))
        two = await both.enter_async_context(open_stacks(mongodb_database=database_of(one), **shared))
        pipelines = [await one.pipeline() for _ in range(4)]
        for name, pipeline in zip("ABCD", pipelines, strict=True):
            await one.put(pipeline, {f"d{n}": f"Text {n} of {name}." for n in range(20)})
            await two.wake(pipeline)
        for pipeline in pipelines:
            assert await one.settled(pipeline) == {"indexed": 20}
        asked = [text for seen in one.server.model.requests for text in seen.body["input"]]
        assert len(asked) == len(set(asked)) == 80


async def test_an_author_has_failed_documents_tried_again_over_http(server: Server, people: People) -> None:
    author, stacks = people.a("author"), Stacks(server)
    made = await filled(author, "One.")
    failed = {"$set": {"state": "failed", "error": "away"}}
    await stacks.store.database.pipeline_documents.update_one({"pipeline_id": made}, failed)
    assert (await author.get(f"pipelines/{made}/status"))["status"] == "ERROR"
    again = await author.post(f"pipelines/{made}/sync", status=200)
    assert again["id"] == made
    assert (await indexed(author, made))["status"] == "SUCCESS"
    await people.a("learner").post(f"pipelines/{made}/sync", status=404)
