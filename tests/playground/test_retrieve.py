"""The retrieve endpoint: its answer, its settings, who may ask, and what is asked wrongly."""

import asyncio
from typing import Any

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.playground.searching import ANIMALS, search_of, source_of
from tests.support.running import Server, running, settings_for

LATENCIES = {"filter", "index", "embed", "dense", "sparse", "read", "total"}


async def test_an_answer_has_all_that_published_clients_read(server: Server) -> None:
    document = {
        "id": "fox",
        "text": ANIMALS["fox"],
        "metadata": {"file_name": "fox.md", "secret": 7},
        "excluded_llm_metadata_keys": ["secret"],
    }
    async with search_of(server) as (search, _):
        await search.put(document)
        answer = await search.ask("When does the fox hunt?")
    (found,) = answer.pop("retrieval_nodes")
    latency = answer.pop("retrieval_latency")
    assert answer == {
        "pipeline_id": search.pipeline_id,
        "image_nodes": [],
        "metadata": {"mode": "chunks", "rerank": "none"},
        "class_name": "base_component",
    }
    assert set(latency) == LATENCIES
    assert all(seconds >= 0 for seconds in latency.values())
    node = found.pop("node")
    assert found == {"score": 1.0, "class_name": "NodeWithScore"}
    assert len(node.pop("id_")) == 36
    assert node == {
        "embedding": None,
        "extra_info": {"file_name": "fox.md", "secret": 7},
        "excluded_embed_metadata_keys": [],
        "excluded_llm_metadata_keys": ["secret"],
        "relationships": {
            "1": {
                "node_id": "fox",
                "node_type": "4",
                "metadata": {},
                "hash": None,
                "class_name": "RelatedNodeInfo",
            }
        },
        "text": ANIMALS["fox"],
        "mimetype": "text/plain",
        "start_char_idx": 0,
        "end_char_idx": len(ANIMALS["fox"]),
        "text_template": "{metadata_str}\n\n{content}",
        "metadata_template": "{key}: {value}",
        "metadata_seperator": "\n",
        "class_name": "TextNode",
    }


async def test_what_fits_best_comes_first_by_meaning_and_by_words(server: Server) -> None:
    async with search_of(server) as (search, _):
        await search.put(**ANIMALS)
        for alpha in (0, 0.25, 0.5, 1):
            assert (await search.found("paying an invoice", alpha=alpha))[0] == "invoice"
        assert await search.found("invoice", alpha=0) == ["invoice"]
        assert "text" not in await search.found("zebra", alpha=0)
        assert await search.found("zebra", alpha=0) == []


async def test_settings_that_are_left_open_are_those_of_the_preset(server: Server) -> None:
    preset = {"alpha": 0, "sparse_similarity_top_k": 1, "search_filters": {"filters": []}}
    async with search_of(server, preset_retrieval_parameters=preset) as (search, _):
        await search.put(**ANIMALS)
        assert await search.found("the") == await search.found("the", alpha=None, search_filters=None)
        assert len(await search.found("the", sparse_similarity_top_k=None)) == 1
        assert len(await search.found("the", sparse_similarity_top_k=2)) == 2
        assert await search.found("zebra") == []
        assert len(await search.found("zebra", alpha=1, dense_similarity_cutoff=0)) >= 1


async def test_filters_limit_the_documents_that_are_searched(server: Server) -> None:
    documents = [
        {"id": name, "text": text, "metadata": {"kind": "animal" if name in "fox hen" else "paper"}}
        for name, text in ANIMALS.items()
    ]
    animals = {"filters": [{"key": "kind", "value": "animal", "operator": "=="}]}
    nothing = {"filters": [{"key": "kind", "value": "stone", "operator": "=="}]}
    async with search_of(server) as (search, _):
        await search.put(*documents)
        for alpha in (0, 0.5, 1):
            found = await search.found("the invoice of a hen", alpha=alpha, search_filters=animals)
            assert found[0] == "hen"
            assert "invoice" not in found
            assert await search.found("hen", alpha=alpha, search_filters=nothing) == []


async def test_a_pipeline_without_documents_has_nothing(server: Server) -> None:
    async with search_of(server) as (search, _):
        answer = await search.ask("fox")
    assert answer["retrieval_nodes"] == []
    assert answer["metadata"] == {"mode": "chunks", "rerank": "none"}


async def test_whoever_asks_for_images_is_told_that_there_are_none(server: Server) -> None:
    async with search_of(server) as (search, _):
        await search.put(fox=ANIMALS["fox"])
        answer = await search.ask("fox", retrieve_image_nodes=True)
    assert answer["image_nodes"] == []
    assert answer["metadata"]["image_nodes"] == "none: images are not indexed"


async def test_no_query_is_a_language(server: Server) -> None:
    async with search_of(server) as (search, _):
        await search.put(**ANIMALS)
        for query in ('"', "hen AND", "id:1 OR (", "a\\", "*:*", "-fox", "[1 TO", "^~", "NOT NOT", "\u202e'"):
            assert "fox" in await search.found(f"{query} hunts", alpha=0), query


# --- who may ask --------------------------------------------------------------------------------------------


async def test_only_its_owner_searches_a_pipeline_unless_it_is_shared(server: Server) -> None:
    async with search_of(server) as (search, people):
        await search.put(fox=ANIMALS["fox"])
        others = (
            people.a("author"),
            people.a("learner"),
            people.a("ops"),
            people.a("author", org="elsewhere"),
        )
        for other in others:
            assert "detail" in await search.ask("fox", by=other, status=404)
        await search.rest.put(f"pipelines/{search.pipeline_id}", {"shared": True})
        for other in others[:3]:
            assert await search.found("fox", by=other) == ["fox"]
        assert "detail" in await search.ask("fox", by=others[3], status=404)
        assert "detail" in await search.ask("fox", by=people.with_token(None), status=401)


async def test_a_pipeline_that_is_not_there_or_deleted_is_not_found(server: Server) -> None:
    async with search_of(server) as (search, _):
        await search.put(fox=ANIMALS["fox"])
        await search.ask("fox")
        missing = await search.rest.post(f"pipelines/{new()}/retrieve", {"query": "fox"}, status=404)
        await search.rest.delete(f"pipelines/{search.pipeline_id}")
        assert await search.ask("fox", status=404) == missing


WRONG: list[tuple[Any, list[str]]] = [
    ({}, ["query"]),
    ({"query": ""}, ["query"]),
    ({"query": 7}, ["query"]),
    ({"query": "x" * 8_001}, ["query"]),
    ({"query": "fox", "alpha": 1.5}, ["alpha"]),
    ({"query": "fox", "alpha": "1"}, ["alpha"]),
    ({"query": "fox", "dense_similarity_top_k": 0}, ["dense_similarity_top_k"]),
    ({"query": "fox", "sparse_similarity_top_k": 101}, ["sparse_similarity_top_k"]),
    ({"query": "fox", "retrieval_mode": "best"}, ["retrieval_mode"]),
    ({"query": "fox", "files_top_k": 6}, ["files_top_k"]),
    ({"query": "fox", "search_filters": {}}, ["search_filters", "filters"]),
    ([1], []),
    ("fox", []),
]


async def test_what_is_asked_wrongly_is_named(server: Server) -> None:
    async with search_of(server) as (search, _):
        address = f"pipelines/{search.pipeline_id}/retrieve"
        for body, where in WRONG:
            answer = await search.rest.post(address, body, status=422)
            assert ["body", *where] in [problem["loc"] for problem in answer["detail"]], (body, answer)
        odd = await search.rest.post("pipelines/one/retrieve", {"query": "fox"}, status=422)
        assert odd["detail"][0]["loc"] == ["path", "pipeline_id"]
        assert b"json_invalid" in await search.rest.ask("POST", address, status=422, data=b'{"query": "fox"')


# --- the embedder -------------------------------------------------------------------------------------------


async def test_a_ranking_by_words_alone_asks_no_embedder(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    settings = settings_for(mongod_url, model[1], embedding_model="embedder")
    async with running(settings) as (url, app):
        server = Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))
        async with search_of(server) as (search, _):
            await search.put(**ANIMALS)
            assert (await search.found("invoices", alpha=1))[0] == "invoice"
            await server.model.stop()
            assert await search.found("invoices", alpha=0) == ["invoice"]
            for alpha in (0.5, 1):
                refused = await search.ask("invoices", alpha=alpha, status=502)
                assert refused["detail"]


async def test_many_queries_at_once_are_answered_alike(server: Server) -> None:
    async with search_of(server) as (search, _):
        await search.put(**ANIMALS)
        answers = await asyncio.gather(*(search.ask("the fox in the barn") for _ in range(20)))
    assert len({tuple(source_of(node) for node in answer["retrieval_nodes"]) for answer in answers}) == 1


async def test_the_cookie_of_a_session_is_enough_and_pages_of_others_may_not_use_it(server: Server) -> None:
    async with search_of(server) as (search, people):
        await search.put(fox=ANIMALS["fox"])
        token = search.rest.headers["Authorization"].removeprefix("Bearer ")
        reader = people.with_token(None)
        reader.headers = {"Cookie": f"session={token}"}
        assert await search.found("fox", by=reader) == ["fox"]
        reader.headers["Origin"] = "https://elsewhere.example"
        await search.ask("fox", by=reader, status=403)
