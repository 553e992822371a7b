"""Pipelines of content packs: reading them, and loading them once and again."""

import asyncio

import pytest

from schemas.retrieval import RetrievalParams
from server.cli.packs import PacksError, read_packs
from server.engine.pack_pipelines import PackPipeline
from server.engine.packs import PackError, PackProblem, content_id, read_pack
from server.transports import keys
from tests.support.grounded import PACK, PERSONA, PIPELINE, load_grounded
from tests.support.rest import people_of
from tests.support.running import Server

SMALL = """\
pack: {id: small, name: Small}
pipelines:
  shop:
    name: Shop
    preset: {alpha: 0.5, files_top_k: 2}
    transform: {chunk_size: 64, chunk_overlap: 8}
    documents:
      hours: {name: Hours, text: "At nine."}
personas:
  vera: {name: Vera, instructions: "You are Vera.", pipeline: shop}
"""


def problem(source: str) -> PackProblem:
    with pytest.raises(PackError) as caught:
        read_pack(source, file="p.yaml")
    (found,) = caught.value.problems
    return found


def test_a_pipeline_is_read_with_its_documents() -> None:
    pack = read_pack(SMALL, file="p.yaml")
    (pipeline,) = pack.pipelines
    assert isinstance(pipeline, PackPipeline)
    assert pipeline.id == content_id("small", "pipeline", "shop")
    assert (pipeline.preset.alpha, pipeline.preset.files_top_k) == (0.5, 2)
    assert (pipeline.transform.chunk_size, pipeline.transform.chunk_overlap) == (64, 8)
    (document,) = pipeline.documents
    assert (document.id, document.name, document.text) == ("hours", "Hours", "At nine.")
    assert document.write().metadata == {"file_name": "Hours"}
    ((_, persona),) = pack.contents
    assert persona.model_dump()["pipeline_id"] == pipeline.id


@pytest.mark.parametrize(
    ("written", "instead", "line", "path", "message"),
    [
        ("pipeline: shop", "pipeline: shup", 10, "personas.vera.pipeline", "did you mean `shop`?"),
        ("pipeline: shop", "pipeline: a/shop", 10, "personas.vera.pipeline", "load that pack first"),
        ("alpha: 0.5", "alpha: 2", 5, "pipelines.shop.preset.alpha", "less than or equal to 1"),
        ("alpha: 0.5", "alpa: 0.5", 5, "pipelines.shop.preset.alpa", "did you mean `alpha`?"),
        ("chunk_overlap: 8", "chunk_overlap: 64", 6, "pipelines.shop.transform", "less than chunk_size"),
        ('"At nine."', '""', 8, "pipelines.shop.documents.hours.text", "at least 1"),
        ("{name: Hours", "{title: Hours", 8, "pipelines.shop.documents.hours.title", "there is no field"),
        ("pipelines:", "pipeline:", 2, "pipeline", "did you mean `pipelines`?"),
    ],
)
def test_mistakes_are_told(written: str, instead: str, line: int, path: str, message: str) -> None:
    with pytest.raises(PackError) as caught:
        read_pack(SMALL.replace(written, instead), file="p.yaml")
    found = next(p for p in caught.value.problems if p.path == path)
    assert found.line == line
    assert message in found.message


async def test_loading_again_changes_what_is_different_and_nothing_else(server: Server) -> None:
    source = PACK.read_text()
    first = await load_grounded(server)
    assert first.changed == len(first.pack.contents) + 1
    assert "1 pipeline" in str(first)
    store = server.app[keys.STORE]
    before = await store.pipeline_documents.listed(PIPELINE, skip=0, limit=9, most_bytes=10**6)
    assert {d.id: d.revision for d in before} == {"refunds": 1, "hours": 1, "parcels": 1}
    assert (await load_grounded(server)).changed == 0
    again = source.replace("fourteen days, to", "ten days, to").replace("parcels:\n", "letters:\n")
    assert (await load_grounded(server, again)).changed == 1
    after = await store.pipeline_documents.listed(PIPELINE, skip=0, limit=9, most_bytes=10**6)
    assert {d.id: d.revision for d in after} == {"refunds": 2, "hours": 1, "letters": 1}
    assert {d.state for d in after} == {"indexed"}
    found = await search(server, "refunds")
    assert "ten days" in found[0]
    assert (await load_grounded(server, source)).changed == 1


async def search(server: Server, query: str) -> list[str]:
    """Return the passages that a pipeline of a pack has."""
    pipeline = await server.app[keys.STORE].pipelines.get(PIPELINE)
    assert pipeline is not None
    found = await server.app[keys.RETRIEVAL].retrieve(pipeline, query, RetrievalParams())
    return [passage.text for passage in found.passages]


async def test_settings_of_a_loaded_pipeline_follow_the_pack(server: Server) -> None:
    await load_grounded(server)
    store = server.app[keys.STORE]
    made = await store.pipelines.get(PIPELINE)
    assert made is not None
    assert (made.preset_retrieval_parameters.alpha, made.shared) == (0.25, True)
    source = PACK.read_text().replace(
        "preset: {", "transform: {chunk_size: 64, chunk_overlap: 0}\n    preset: {alpha: 0.9, "
    )
    assert (await load_grounded(server, source)).changed == 1
    changed = await store.pipelines.get(PIPELINE)
    assert changed is not None
    assert changed.preset_retrieval_parameters.alpha == 0.9
    assert changed.transform_version == made.transform_version + 1
    documents = await store.pipeline_documents.listed(PIPELINE, skip=0, limit=9, most_bytes=10**6)
    assert [d.indexed for d in documents] == [2, 2, 2]
    assert (await load_grounded(server, source)).changed == 0
    assert await search(server, "refunds")


async def test_everybody_may_read_it_and_nobody_change_it(server: Server) -> None:
    await load_grounded(server)
    async with people_of(server) as people:
        author = people.a("author")
        assert (await author.get(f"pipelines/{PIPELINE}"))["name"] == "Shop papers"
        await people.a("learner").get(f"pipelines/{PIPELINE}")
        await author.put(f"pipelines/{PIPELINE}/documents", [{"text": "Mine."}], status=403)
        await people.a("admin").delete(f"pipelines/{PIPELINE}", status=403)
        await people.a("author", org="elsewhere").get(f"pipelines/{PIPELINE}", status=404)
        persona = await author.get(f"personas/{PERSONA}")
        assert persona["pipeline_id"] == PIPELINE


async def test_a_pack_whose_pipeline_is_another_organisations_is_refused(server: Server) -> None:
    await load_grounded(server)
    store, source = server.app[keys.STORE], PACK.read_bytes()
    with pytest.raises(PacksError) as caught:
        await read_packs({"grounded.yaml": source}, store=store, org="elsewhere")
    assert f"its id {PIPELINE} belongs to another pipeline" in str(caught.value)


async def test_another_pack_may_name_a_loaded_pipeline(server: Server) -> None:
    source = SMALL.replace("pipeline: shop", "pipeline: grounded/shop").encode()
    store = server.app[keys.STORE]
    with pytest.raises(PacksError, match="load that pack first"):
        await read_packs({"small.yaml": source}, store=store, org="default")
    await load_grounded(server)
    (pack,) = await read_packs({"small.yaml": source}, store=store, org="default")
    assert pack.contents[0][1].model_dump()["pipeline_id"] == PIPELINE


async def test_two_loads_at_once_leave_one_of_each(server: Server) -> None:
    await asyncio.gather(load_grounded(server), load_grounded(server), return_exceptions=True)
    await load_grounded(server)
    documents = server.app[keys.STORE].pipeline_documents
    assert await documents.count(PIPELINE) == 3
