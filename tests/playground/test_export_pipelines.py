"""Personas and agents that rest on a pipeline, as packs: with its documents, or with a word of why not."""

from typing import Any

import pytest

from server.cli.packs import Loaded, PacksError, read_packs, store_packs
from server.engine.packs import Pack, read_pack
from server.transports import keys
from tests.playground.client import pipeline, put
from tests.support.grounded import PERSONA, PIPELINE, load_grounded
from tests.support.rest import People, Rest
from tests.support.running import Server

DOCUMENTS: list[dict[str, Any]] = [
    {"id": "Terms & more.md", "text": "Line one:\n  - two\r\n\tthree “four” \U0001f4e6", "metadata": {}},
    {
        "id": "b",
        "text": "yes",
        "metadata": {"file_name": "b.txt", "none": None, "n": [1, 2.5, "007", True], "deep": {"a.$b": []}},
        "excluded_embed_metadata_keys": ["n"],
        "excluded_llm_metadata_keys": ["none"],
    },
]
PRESET = {"alpha": None, "search_filters": {"filters": [{"key": "n", "value": None, "operator": "is_empty"}]}}
BODIES: dict[str, dict[str, Any]] = {
    "personas": {"name": "Vera", "instructions": "You are Vera."},
    "agents": {"name": "Clerk"},
}


async def load(server: Server, source: bytes, *, org: str = "default") -> Loaded:
    store = server.app[keys.STORE]
    packs = await read_packs({"export.yaml": source}, store=store, org=org)
    (loaded,) = await store_packs(packs, store=store, org=org, offline=True, advance=lambda _: None)
    return loaded


async def exported(author: Rest, kind: str, key: str) -> tuple[bytes, Pack]:
    text = await author.ask("GET", f"{kind}/{key}/export", status=200)
    return text, read_pack(text, file="export.yaml")


@pytest.mark.parametrize("kind", BODIES)
async def test_a_pipeline_is_exported_with_what_names_it_and_loads_again(
    server: Server, people: People, kind: str
) -> None:
    author = people.a("author")
    made = await pipeline(author, preset_retrieval_parameters=PRESET, transform_config={"chunk_size": 300})
    await put(author, made["id"], DOCUMENTS)
    content = await author.post(kind, BODIES[kind] | {"pipeline_id": made["id"]})
    before = await author.get(f"pipelines/{made['id']}/documents")
    text, _ = await exported(author, kind, content["id"])
    assert not text.startswith(b"#")
    assert (await load(server, text)).changed == 0
    with pytest.raises(PacksError, match="belongs to another pipeline"):
        await load(server, text.replace(b"yes", b"no"))
    await author.delete(f"pipelines/{made['id']}?force=true")
    await server.app[keys.STORE].database.pipelines.delete_one({"_id": made["id"]})
    await server.app[keys.STORE].database.pipeline_documents.delete_many({"pipeline_id": made["id"]})
    assert (await load(server, text)).changed == 1
    again = await author.get(f"pipelines/{made['id']}")
    for name in ("name", "transform_config", "preset_retrieval_parameters"):
        assert again[name] == made[name]
    assert await author.get(f"pipelines/{made['id']}/documents") == before
    assert (await author.get(f"{kind}/{content['id']}"))["pipeline_id"] == made["id"]
    assert (await load(server, text)).changed == 0


@pytest.mark.parametrize("kind", BODIES)
async def test_what_cannot_be_in_the_pack_is_left_out_and_said(people: People, kind: str) -> None:
    author, other = people.a("author"), people.a("author")
    made = await pipeline(author)
    content = await author.post(kind, BODIES[kind] | {"pipeline_id": made["id"]})
    await said(author, kind, content["id"], b"has no documents")
    await put(author, made["id"], [{"id": "a", "text": "secret"}])
    await said(other, kind, content["id"], b"is not yours to read")
    await put(author, made["id"], [{"id": f"l{n}", "text": "x" * 200_000} for n in range(6)])
    await said(author, kind, content["id"], b"more documents or bytes")
    await author.delete(f"pipelines/{made['id']}?force=true")
    await said(author, kind, content["id"], b"does not exist any more")


async def said(author: Rest, kind: str, key: str, reason: bytes) -> None:
    """Check that an export says why there is no pipeline in it, and can be read."""
    text, pack = await exported(author, kind, key)
    assert reason in text
    assert b"secret" not in text
    assert pack.pipelines == []
    assert pack.contents[0][1].model_dump()["pipeline_id"] is None


async def test_a_persona_of_a_pack_loads_as_it_was(server: Server, people: People) -> None:
    await load_grounded(server)
    text, pack = await exported(people.a("author"), "personas", PERSONA)
    assert [p.id for p in pack.pipelines] == [PIPELINE]
    assert (await load(server, text)).changed == 0
