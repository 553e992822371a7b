"""Documents are indexed: read, cut, embedded and searched, anew when they or their pipeline change."""

from schemas.pipeline import TransformConfig
from server.engine.ids import new
from server.store.pipeline_files import StoredFile
from tests.engine.playground.pdfs import encrypted, pdf, slow
from tests.playground.stacks import LONG, OpenStacks, Stacks, database_of


async def test_documents_are_cut_embedded_and_then_searched(stacks: Stacks) -> None:
    pipeline = await stacks.pipeline()
    await stacks.put(pipeline, {"long": LONG, "short": "One thing.", "empty": ""})
    assert await stacks.settled(pipeline) == {"indexed": 3}
    long, short, empty = [await stacks.document(pipeline, name) for name in ("long", "short", "empty")]
    assert (long.indexed, short.indexed, empty.indexed) == (1, 1, 1)
    assert (short.chunks, empty.chunks) == (1, 0)
    assert long.chunks > 10
    changes, live = await stacks.store.chunks.live(pipeline.id)
    assert changes >= 1
    assert live == {long.key: 1, short.key: 1, empty.key: 1}


async def test_a_document_written_again_is_searched_by_its_old_chunks_until_the_new_are_there(
    stacks: Stacks,
) -> None:
    pipeline = await stacks.pipeline()
    await stacks.put(pipeline, {"a": LONG, "b": "Stays."})
    await stacks.settled(pipeline)
    before, _ = await stacks.store.chunks.live(pipeline.id)
    await stacks.put(pipeline, {"a": "Something new."}, wake=False)
    assert len(await stacks.texts(pipeline)) > 10
    await stacks.wake(pipeline)
    await stacks.settled(pipeline)
    assert await stacks.texts(pipeline) == {"Something new.", "Stays."}
    after, _ = await stacks.store.chunks.live(pipeline.id)
    assert after > before
    assert await stacks.all_chunks(pipeline) > 2
    await stacks.sweep()
    assert await stacks.all_chunks(pipeline) == 2


async def test_another_way_of_cutting_indexes_everything_anew(stacks: Stacks) -> None:
    pipeline = await stacks.pipeline()
    await stacks.put(pipeline, {"a": LONG, "b": "Stays."})
    await stacks.settled(pipeline)
    chunks = (await stacks.document(pipeline, "a")).chunks
    await stacks.cut_otherwise(pipeline, TransformConfig(chunk_size=128, chunk_overlap=0))

    async def wide() -> bool:
        return (await stacks.document(pipeline, "a")).chunks < chunks

    await stacks.until(wide)
    assert await stacks.settled(pipeline) == {"indexed": 2}
    assert (await stacks.document(pipeline, "a")).indexed == 2
    await stacks.sweep()
    assert await stacks.all_chunks(pipeline) == (await stacks.document(pipeline, "a")).chunks + 1


async def test_another_embedder_indexes_everything_anew_at_the_start(open_stacks: OpenStacks) -> None:
    async with open_stacks() as stacks:
        pipeline = await stacks.pipeline()
        await stacks.put(pipeline, {"a": LONG, "b": "Stays."})
        await stacks.settled(pipeline)
    async with open_stacks(mongodb_database=database_of(stacks), embedding_model="vectors") as other:

        async def anew() -> bool:
            return (await other.document(pipeline, "b")).indexed == 2

        await other.until(anew)
        assert await other.settled(pipeline) == {"indexed": 2}


async def test_files_are_read_and_let_go_of(stacks: Stacks) -> None:
    pipeline = await stacks.pipeline()
    files = {
        "a.pdf": pdf("A page about fees"),
        "b.html": b"<h1>Hours</h1><p>From nine</p>",
        "c.md": b"# Notes",
    }
    ids = [await stacks.upload(pipeline, name, data) for name, data in files.items()]
    locked = await stacks.upload(pipeline, "d.pdf", encrypted("x"))
    gone = await stacks.upload(pipeline, "e.md", b"lost")
    await stacks.store.database.pipeline_files.delete_many({"_id.f": gone})
    states = await stacks.settled(pipeline)
    assert sum(states.values()) == 5
    assert states["indexed"] >= 3
    texts = [await stacks.document(pipeline, name) for name in files]
    assert [text.text for text in texts] == ["A page about fees", "# Hours\n\nFrom nine", "# Notes"]
    assert [text.file for text in texts] == [None] * 3
    failed = await stacks.document(pipeline, "d.pdf")
    assert (failed.state, failed.file, failed.chunks) == ("failed", locked, 0)
    assert "encrypted" in (failed.error or "")
    assert ids


async def test_few_files_are_read_together_because_their_texts_may_be_long(open_stacks: OpenStacks) -> None:
    async with open_stacks(job_slots=0) as stacks:
        pipeline = await stacks.pipeline()
        for n in range(8):
            await stacks.upload(pipeline, f"{n}.md", b"short")
        assert 1 < len(await stacks.store.indexing.batch(pipeline.id)) <= 4


async def test_a_text_is_searched_while_a_file_beside_it_is_still_read(stacks: Stacks) -> None:
    pipeline, file_id = await stacks.pipeline(), new()
    file = StoredFile(data=slow(), name="slow.pdf", content_type="application/pdf")
    await stacks.store.pipeline_files.put(file_id, file)
    await stacks.put(pipeline, {"slow.pdf": ""}, file=file_id, wake=False)
    await stacks.put(pipeline, {"a": "Twenty."})

    async def searched() -> bool:
        return await stacks.texts(pipeline) == {"Twenty."}

    await stacks.until(searched)
    assert (await stacks.document(pipeline, "slow.pdf")).state == "queued"


async def test_metadata_is_embedded_but_for_what_is_excluded(open_stacks: OpenStacks) -> None:
    async with open_stacks(embedding_model="vectors") as stacks:
        pipeline = await stacks.pipeline()
        about = {"title": "Fees", "internal": "hidden"}
        await stacks.put(
            pipeline, {"a": "Twenty."}, metadata=about, excluded_embed_metadata_keys=["internal"]
        )
        assert await stacks.settled(pipeline) == {"indexed": 1}
        asked = [seen.body["input"] for seen in stacks.server.model.requests if seen.endpoint == "embeddings"]
        assert asked == [["title: Fees\n\nTwenty."]]
        assert await stacks.texts(pipeline) == {"Twenty."}


async def test_many_documents_at_once_are_all_indexed_once(stacks: Stacks) -> None:
    pipelines = [await stacks.pipeline() for _ in range(3)]
    for n, pipeline in enumerate(pipelines):
        await stacks.put(pipeline, {f"d{i}": f"Document {i} of pipeline {n}." for i in range(100)})
    for pipeline in pipelines:
        assert await stacks.settled(pipeline) == {"indexed": 100}
        assert len(await stacks.texts(pipeline)) == 100
        assert await stacks.all_chunks(pipeline) == 100
