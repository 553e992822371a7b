"""Pipelines: created, replaced by name, changed, listed and deleted, by whoever may."""

import asyncio
from typing import Any

import orjson

from server.engine.ids import new
from server.engine.playground.leftovers import LATE_SECONDS, Leftovers
from server.engine.playground.views import project_of
from server.store import Store
from server.transports import keys
from tests.playground.client import filled, indexed, pipeline, put
from tests.support.rest import People, Rest
from tests.support.running import Server

DEFAULTS = {
    "dense_similarity_top_k": 30,
    "dense_similarity_cutoff": 0.0,
    "sparse_similarity_top_k": 30,
    "enable_reranking": None,
    "rerank_top_n": 6,
    "alpha": 0.25,
    "search_filters": None,
    "files_top_k": 1,
    "retrieval_mode": "chunks",
    "retrieve_image_nodes": False,
    "class_name": "base_component",
}

WRONG: list[tuple[Any, list[str], str]] = [
    ({}, ["body", "name"], "missing"),
    ({"name": 5}, ["body", "name"], "string_type"),
    ({"name": ""}, ["body", "name"], "string_too_short"),
    ({"name": "x" * 3001}, ["body", "name"], "string_too_long"),
    ({"name": "a\0"}, ["body", "name"], "value_error"),
    ({"name": "x", "shared": "yes"}, ["body", "shared"], "bool_type"),
    ({"name": "x", "pipeline_type": "OTHER"}, ["body", "pipeline_type"], "literal_error"),
    (
        {"name": "x", "preset_retrieval_parameters": {"alpha": 2}},
        ["body", "preset_retrieval_parameters", "alpha"],
        "less_than_equal",
    ),
    (
        {"name": "x", "transform_config": {"chunk_size": 20, "chunk_overlap": 20}},
        ["body", "transform_config"],
        "value_error",
    ),
    ([], ["body"], "model_type"),
    (
        {"name": "x", "embedding_config": {"type": "MINE"}},
        ["body", "embedding_config", "type"],
        "literal_error",
    ),
]


async def test_a_pipeline_has_everything_that_published_clients_need(author: Rest) -> None:
    made = await pipeline(author)
    assert author.answered["Location"] == f"/api/v1/pipelines/{made['id']}"
    assert made == {
        "id": made["id"],
        "created_at": made["created_at"],
        "updated_at": made["updated_at"],
        "name": "Handbook",
        "project_id": project_of("default"),
        "pipeline_type": "MANAGED",
        "embedding_config": {"type": "OPENAI_EMBEDDING"},
        "transform_config": {"mode": "auto", "chunk_size": 1024, "chunk_overlap": 200},
        "preset_retrieval_parameters": DEFAULTS,
        "shared": False,
        "owner_id": author.profile,
    }
    assert await author.get(f"pipelines/{made['id']}") == made
    assert await author.get("pipelines") == [made]


async def test_null_stands_for_what_is_left_open(author: Rest) -> None:
    made = await pipeline(author, embedding_config=None, transform_config=None, unknown={"a": 1})
    assert made["embedding_config"] == {"type": "OPENAI_EMBEDDING"}
    given = {"alpha": None, "dense_similarity_top_k": None, "dense_similarity_cutoff": 1}
    other = await pipeline(author, name="Other", preset_retrieval_parameters=given)
    assert other["preset_retrieval_parameters"] == {**DEFAULTS, "alpha": None, "dense_similarity_cutoff": 1.0}


async def test_a_preset_keeps_its_filters_as_they_were_sent(author: Rest) -> None:
    deep = {"filters": [{"key": "a.$b", "value": None, "operator": "is_empty"}], "condition": "or"}
    filters = {"filters": [{"key": "year", "value": ["2023"], "operator": "in"}, deep], "condition": "and"}
    made = await pipeline(author, preset_retrieval_parameters={"search_filters": filters})
    read = await author.get(f"pipelines/{made['id']}")
    assert read["preset_retrieval_parameters"]["search_filters"] == filters


async def test_put_creates_and_replaces_by_name(author: Rest, people: People) -> None:
    first = await author.put("pipelines", {"name": "FAQ"})
    again = await author.put("pipelines", {"name": "FAQ", "pipeline_type": "PLAYGROUND", "shared": True})
    assert again["id"] == first["id"]
    assert (again["pipeline_type"], again["shared"]) == ("PLAYGROUND", True)
    other = await people.a("author").put("pipelines", {"name": "FAQ"})
    assert other["id"] != first["id"]


async def test_fifty_at_once_make_one_pipeline(author: Rest) -> None:
    made = await asyncio.gather(*(author.put("pipelines", {"name": "FAQ"}) for _ in range(50)))
    assert len({one["id"] for one in made}) == 1
    assert len(await author.get("pipelines")) == 1


async def test_a_name_is_taken_once(author: Rest) -> None:
    one, two = await pipeline(author, "One"), await pipeline(author, "Two")
    assert set(await pipeline(author, "One", status=409)) == {"detail"}
    refused = await author.put(f"pipelines/{two['id']}", {"name": "One"}, status=409)
    assert "name" in refused["detail"]
    await author.delete(f"pipelines/{one['id']}")
    assert (await author.put(f"pipelines/{two['id']}", {"name": "One"}))["name"] == "One"


async def test_an_update_leaves_what_is_not_given(author: Rest) -> None:
    made = await pipeline(author, transform_config={"chunk_size": 64, "chunk_overlap": 8})
    changed = await author.put(f"pipelines/{made['id']}", {"shared": True, "name": None})
    assert changed == {**made, "shared": True, "updated_at": changed["updated_at"]}
    tuned = await author.put(
        f"pipelines/{made['id']}", {"preset_retrieval_parameters": {"rerank_top_n": 2, "alpha": 1}}
    )
    assert tuned["preset_retrieval_parameters"] == {**DEFAULTS, "rerank_top_n": 2, "alpha": 1.0}


async def test_updates_at_once_are_all_there(author: Rest) -> None:
    made = await pipeline(author)
    changes: list[dict[str, Any]] = [{"name": "New"}, {"shared": True}, {"pipeline_type": "PLAYGROUND"}]
    await asyncio.gather(*(author.put(f"pipelines/{made['id']}", change) for change in changes))
    read = await author.get(f"pipelines/{made['id']}")
    assert (read["name"], read["shared"], read["pipeline_type"]) == ("New", True, "PLAYGROUND")


async def test_lists_are_filtered_and_come_in_parts(author: Rest) -> None:
    for name in ("A", "B", "C"):
        await pipeline(author, name, pipeline_type="PLAYGROUND" if name == "B" else "MANAGED")

    async def names(query: str) -> list[str]:
        return [one["name"] for one in await author.get(f"pipelines?{query}")]

    assert await names("pipeline_name=B") == ["B"]
    assert await names("pipeline_type=MANAGED") == ["A", "C"]
    assert await names("skip=1&limit=1") == ["B"]
    assert await names(f"project_id={project_of('default')}") == ["A", "B", "C"]
    assert await names(f"project_id={new()}") == []


async def test_a_wrong_body_is_refused_with_its_place(author: Rest) -> None:
    for body, loc, kind in WRONG:
        for method in ("POST", "PUT"):
            refused = await _refused(author, method, "pipelines", body)
            assert [(one["loc"], one["type"]) for one in refused] == [(loc, kind)]
            assert all(set(one) == {"loc", "msg", "type"} for one in refused)


async def test_what_is_no_json_and_no_uuid_is_refused_with_a_list(author: Rest) -> None:
    broken = await author.ask("POST", "pipelines", status=422, data=b"{")
    assert b'"type":"json_invalid"' in broken
    for path in ("pipelines/no-uuid", "pipelines/no-uuid/status", "pipelines/no-uuid/documents"):
        (one,) = (await author.get(path, status=422))["detail"]
        assert one["loc"] == ["path", "pipeline_id"]
    for query, name in (("limit=0", "limit"), ("skip=-1", "skip"), ("pipeline_type=X", "pipeline_type")):
        (one,) = (await author.get(f"pipelines?{query}", status=422))["detail"]
        assert one["loc"] == ["query", name]
    large = await author.ask("POST", "pipelines", status=413, data=b" " * (300 * 1024))
    assert large.startswith(b'{"detail":"')


async def test_a_preset_has_a_size(author: Rest) -> None:
    many = [{"key": "k" * 400, "value": ["v" * 100] * 20} for _ in range(60)]
    refused = await _refused(
        author,
        "POST",
        "pipelines",
        {"name": "x", "preset_retrieval_parameters": {"search_filters": {"filters": many}}},
    )
    assert refused[0]["loc"] == ["body", "preset_retrieval_parameters"]


async def test_a_pipeline_is_gone_at_once_with_all_that_is_in_it(server: Server, author: Rest) -> None:
    pipeline_id = await filled(author, "The library opens at nine.")
    await author.delete(f"pipelines/{pipeline_id}")
    for path in (
        "",
        "/status",
        "/documents",
        "/documents/d0",
        "/documents/d0/status",
        "/documents/d0/chunks",
    ):
        assert set(await author.get(f"pipelines/{pipeline_id}{path}", status=404)) == {"detail"}
    assert set(await author.delete(f"pipelines/{pipeline_id}", status=404)) == {"detail"}
    assert await put(author, pipeline_id, [{"text": "late"}], status=404)
    assert await author.get("pipelines") == []
    assert (await pipeline(author))["id"] != pipeline_id  # its name is free


async def test_nothing_is_left_of_a_deleted_pipeline(server: Server, author: Rest) -> None:
    pipeline_id = await filled(author, "The library opens at nine.", "Cats are not let in.")
    other = await filled(author, "Another one stays.", name="Other")
    await author.delete(f"pipelines/{pipeline_id}")
    store, now = server.app[keys.STORE], 0.0
    leftovers = Leftovers(store, clock=lambda: now)
    await leftovers.sweep()
    assert await _rows(store, pipeline_id) == (0, 0)
    assert pipeline_id in await store.pipelines.deleted()  # what is late is found by it
    await leftovers.sweep()
    now = LATE_SECONDS + 1
    await leftovers.sweep()
    assert pipeline_id not in await store.pipelines.deleted()
    assert min(await _rows(store, other)) > 0
    assert (await indexed(author, other))["status"] == "SUCCESS"


async def _refused(author: Rest, method: str, path: str, body: Any) -> list[dict[str, Any]]:
    answer = orjson.loads(await author.ask(method, path, status=422, data=orjson.dumps(body)))
    found: list[dict[str, Any]] = answer["detail"]
    return found


async def _rows(store: Store, pipeline_id: str) -> tuple[int, int]:
    query = {"pipeline_id": pipeline_id}
    documents = await store.database.pipeline_documents.count_documents(query)
    return documents, await store.database.chunks.count_documents(query)
