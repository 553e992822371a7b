"""Documents are indexed many at a time: what happens to one of them is none of the others' business."""

import asyncio

from server.store.indexing import Indexed
from tests.playground.stacks import LONG, OpenStacks, Stacks
from tests.support.passing import passes


async def test_a_document_that_is_being_written_holds_up_no_other(open_stacks: OpenStacks) -> None:
    async with open_stacks(job_slots=0) as stacks:
        pipeline = await stacks.pipeline()
        await stacks.put(pipeline, {f"d{n}": f"Text {n}." for n in range(50)})
        ledger, rows = stacks.store.indexing, stacks.store.database.pipeline_documents
        claim = await ledger.claim(pipeline.id, "me", living=["me"])
        assert claim is not None
        results = [Indexed(key=d.key, revision=d.revision) for d in await ledger.batch(pipeline.id)]
        async with await stacks.store.database.client.start_session() as session:
            async with session.start_transaction():
                await rows.update_one({"_id": results[7].key}, {"$inc": {"revision": 1}}, session=session)
                committing = asyncio.create_task(ledger.commit(claim, results))
                await passes(0.1, because="a write that gets in another's way tells nobody")
            await committing
        left = await ledger.batch(pipeline.id)
        assert [document.key for document in left] == [results[7].key]
        changes, live = await stacks.store.chunks.live(pipeline.id)
        assert (changes, len(live)) == (1, 49)


async def test_what_was_just_replaced_can_be_read_a_while_longer(stacks: Stacks) -> None:
    pipeline = await stacks.pipeline()
    await stacks.put(pipeline, {"a": LONG})
    await stacks.settled(pipeline)
    before = await stacks.all_chunks(pipeline)
    await stacks.put(pipeline, {"a": "New."})
    await stacks.settled(pipeline)
    sweeps = stacks.store.database.chunk_sweeps
    newest = await sweeps.find().sort("at", -1).to_list(1)
    aged = [{"$set": {"at": {"$subtract": ["$$NOW", 20_000]}}}]
    await sweeps.update_many({"_id": {"$ne": newest[0]["_id"]}}, aged)
    while await stacks.store.chunks.sweep():
        pass
    assert await stacks.all_chunks(pipeline) == before + 1
    await stacks.sweep()
    assert await stacks.all_chunks(pipeline) == 1


async def test_one_refused_of_many_is_found_without_asking_for_each(open_stacks: OpenStacks) -> None:
    async with open_stacks(embedding_model="vectors") as stacks:
        await stacks.server.script(
            {"match": {"endpoint": "embeddings", "any_contains": "poison"}, "status": 400}
        )
        pipeline = await stacks.pipeline()
        await stacks.put(
            pipeline, {f"d{n}": "poison" if n == 70 else f"Text {n} of many." for n in range(100)}
        )
        assert await stacks.settled(pipeline) == {"indexed": 99, "failed": 1}
        assert (await stacks.document(pipeline, "d70")).state == "failed"
        asked = [seen for seen in stacks.server.model.requests if seen.endpoint == "embeddings"]
        assert len(asked) < 50


async def test_work_that_is_done_again_leaves_each_chunk_once(stacks: Stacks) -> None:
    pipeline = await stacks.pipeline()
    await stacks.put(pipeline, {"a": LONG, "b": "Two."})
    await stacks.settled(pipeline)
    before = await stacks.all_chunks(pipeline)
    again = {"$set": {"state": "queued", "indexed": 0}}
    await stacks.store.database.pipeline_documents.update_many({"pipeline_id": pipeline.id}, again)
    await stacks.store.database.chunks.delete_one({"pipeline_id": pipeline.id, "number": 3})
    await stacks.wake(pipeline)
    assert await stacks.settled(pipeline) == {"indexed": 2}
    assert await stacks.all_chunks(pipeline) == before
