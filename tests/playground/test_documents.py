"""Documents: put as JSON or as files, read back, found out about, and deleted."""

import asyncio
import io
from datetime import UTC, datetime
from typing import Any

import orjson

from schemas.pipeline import (
    MAX_DOCUMENT,
    MAX_DOCUMENTS_AT_ONCE,
    MAX_FILE,
    MAX_METADATA,
    MAX_METADATA_ELEMENTS,
    MAX_METADATA_KEYS,
)
from server.store import Store
from server.store.clearing import PART
from server.transports import keys
from tests.engine.playground.pdfs import encrypted
from tests.playground.client import filled, indexed, pipeline, put, put_large, send, upload
from tests.support.rest import Rest
from tests.support.running import Server

KEYS = [f"k{n}" for n in range(MAX_METADATA_KEYS)]
ELEMENTS = list(range(MAX_METADATA_ELEMENTS))
TEXT = "The library opens at nine. It is closed on Mondays."


async def test_documents_are_read_back_as_they_were_sent(author: Rest) -> None:
    pipeline_id = (await pipeline(author))["id"]
    metadata = {"a.b": 1, "$c": [1, "x", None, {"d": 2.5}], "": True, "file_name": "ü.md"}
    sent = {
        "id": "$root/§ 1",
        "text": "$$ROOT costs $5\n",
        "metadata": metadata,
        "excluded_embed_metadata_keys": ["$c"],
        "excluded_llm_metadata_keys": ["a.b"],
    }
    first, second = await put(author, pipeline_id, [sent, {"text": TEXT}])
    assert first == sent
    assert second["id"] != "$root/§ 1"
    assert second["metadata"] == {}
    assert await author.get(f"pipelines/{pipeline_id}/documents") == [first, second]
    assert await author.get(f"pipelines/{pipeline_id}/documents/%24root%2F%C2%A7%201") == first
    assert (await indexed(author, pipeline_id))["documents"] == {"queued": 0, "indexed": 2, "failed": 0}


async def test_a_pipeline_tells_how_far_it_is(author: Rest) -> None:
    pipeline_id = (await pipeline(author))["id"]
    empty = await author.get(f"pipelines/{pipeline_id}/status")
    assert empty == {
        "status": "NOT_STARTED",
        "error": None,
        "documents": {"queued": 0, "indexed": 0, "failed": 0},
    }
    await put(author, pipeline_id, [{"id": "d0", "text": TEXT}])
    assert (await indexed(author, pipeline_id))["status"] == "SUCCESS"
    assert await indexed(author, pipeline_id, document="d0") == {"status": "SUCCESS", "error": None}
    chunks = await author.get(f"pipelines/{pipeline_id}/documents/d0/chunks")
    assert [chunk["text"] for chunk in chunks] == [TEXT]
    assert chunks[0]["relationships"]["1"]["node_id"] == "d0"
    assert await author.get(f"pipelines/{pipeline_id}/documents/d0/chunks?skip=1") == []


async def test_put_replaces_by_id_and_leaves_what_is_the_same(server: Server, author: Rest) -> None:
    pipeline_id = await filled(author, TEXT)
    documents = server.app[keys.STORE].pipeline_documents
    before = await documents.get(pipeline_id, "d0")
    assert before is not None
    assert before.indexed == before.revision == 1
    await put(author, pipeline_id, [{"id": "d0", "text": TEXT}])
    assert await documents.get(pipeline_id, "d0") == before
    await put(author, pipeline_id, [{"id": "d0", "text": TEXT, "metadata": {"year": 2024}}])
    await indexed(author, pipeline_id)
    after = await documents.get(pipeline_id, "d0")
    assert after is not None
    assert (after.key, after.revision, after.indexed) == (before.key, 2, 2)
    assert after.created_at == before.created_at


async def test_the_same_document_at_once_is_one(author: Rest) -> None:
    pipeline_id = (await pipeline(author))["id"]
    await asyncio.gather(*(put(author, pipeline_id, [{"id": "x", "text": f"v{n}"}]) for n in range(20)))
    (one,) = await author.get(f"pipelines/{pipeline_id}/documents")
    assert one["text"].startswith("v")
    assert (await indexed(author, pipeline_id))["documents"]["indexed"] == 1


async def test_post_creates_and_replaces_nothing(author: Rest) -> None:
    pipeline_id = await filled(author, TEXT)
    path = f"pipelines/{pipeline_id}/documents"
    refused = await author.post(path, [{"id": "new", "text": "a"}, {"id": "d0", "text": "b"}], status=409)
    assert "d0" in refused["detail"]
    assert [one["id"] for one in await author.get(path)] == ["d0"]
    for _ in range(2):  # the same document again is no other one
        made = await author.post(path, [{"id": "new", "text": "a"}], status=200)
        assert made[0]["id"] == "new"
    assert len(await author.get(path)) == 2


async def test_a_request_that_is_repeated_under_its_key_stores_once(author: Rest) -> None:
    pipeline_id = (await pipeline(author))["id"]
    path, body = f"pipelines/{pipeline_id}/documents", orjson.dumps([{"text": "a"}, {"text": "b"}])
    for key, count in (("k1", 2), ("k1", 2), ("k2", 4)):
        await author.ask("POST", path, status=200, data=body, headers={"Idempotency-Key": key})
        assert len(await author.get(path)) == count
    await author.ask("POST", path, status=422, data=body, headers={"Idempotency-Key": "x" * 65})


async def test_lists_come_in_parts(author: Rest) -> None:
    pipeline_id = (await pipeline(author))["id"]
    for n in range(5):
        await put(author, pipeline_id, [{"id": f"d{n}", "text": "x"}])
    path = f"pipelines/{pipeline_id}/documents"
    assert [one["id"] for one in await author.get(f"{path}?skip=1&limit=2")] == ["d1", "d2"]
    page = await author.get(f"{path}/paginated?skip=3&limit=2")
    assert [one["id"] for one in page.pop("documents")] == ["d3", "d4"]
    assert page == {"limit": 2, "offset": 3, "total_count": 5}
    for query in ("skip=x", "limit=1001", "limit=-1", "skip=99999999999"):
        assert (await author.get(f"{path}?{query}", status=422))["detail"][0]["loc"][0] == "query"


async def test_large_documents_come_few_at_a_time(author: Rest) -> None:
    pipeline_id = (await pipeline(author))["id"]
    path, large = f"pipelines/{pipeline_id}/documents", "x" * MAX_DOCUMENT
    await put_large(author, pipeline_id, [{"id": f"d{n}", "text": large} for n in range(5)], status=200)
    first = await author.get(path)
    rest = await author.get(f"{path}?skip={len(first)}")
    assert [one["id"] for one in (*first, *rest)] == [f"d{n}" for n in range(5)]
    assert 0 < len(first) < 5
    await author.delete(f"pipelines/{pipeline_id}")


async def test_what_is_wrong_is_refused_with_its_place(author: Rest) -> None:
    pipeline_id = (await pipeline(author))["id"]
    wrong: list[tuple[Any, list[str | int]]] = [
        ({"text": "no list"}, ["body"]),
        ([{"text": 5}], ["body", 0, "text"]),
        ([{}], ["body", 0, "text"]),
        ([{"text": "a\0b"}], ["body", 0]),
        ([{"text": "a"}, {"text": "b", "id": ""}], ["body", 1, "id"]),
        ([{"text": "a", "id": "a\n"}], ["body", 0, "id"]),
        ([{"text": "a", "metadata": []}], ["body", 0, "metadata"]),
        ([{"text": "a", "metadata": {"x": 2**60}}], ["body"]),
        ([{"text": "a", "metadata": {"x": "y" * MAX_METADATA}}], ["body", 0, "metadata"]),
        ([{"text": "a", "id": "x"}, {"text": "b", "id": "x"}], ["body", 1, "id"]),
        ([{"text": "x"}] * (MAX_DOCUMENTS_AT_ONCE + 1), ["body"]),
        ([{"text": "a", "metadata": dict.fromkeys(KEYS, 1) | {"b": 1}}], ["body", 0, "metadata"]),
        ([{"text": "a", "metadata": {"a": ELEMENTS, "b": [1]}}], ["body", 0, "metadata"]),
    ]
    for body, loc in wrong:
        for method in (author.put, author.post):
            answer = await method(f"pipelines/{pipeline_id}/documents", body, status=422)
            assert [one["loc"] for one in answer["detail"]] == [loc]
    large = [{"text": "x" * (MAX_DOCUMENT + 1)}]
    answer = await put_large(author, pipeline_id, large, status=422)
    assert answer["detail"][0]["loc"] == ["body", 0, "text"]
    assert set(await put_large(author, pipeline_id, large * 8, status=413)) == {"detail"}
    assert await author.get(f"pipelines/{pipeline_id}/documents") == []


async def test_the_most_metadata_is_stored_whole_in_parts_and_removed(server: Server, author: Rest) -> None:
    store, pipeline_id = server.app[keys.STORE], (await pipeline(author))["id"]
    metadata = dict.fromkeys(KEYS[1:], 1) | {KEYS[0]: ELEMENTS}
    documents = [{"id": f"d{n}", "text": "", "metadata": metadata} for n in range(120)]
    for method in ("PUT", "PUT", "POST"):  # again what is there stays as it is
        data = io.BytesIO(orjson.dumps(documents))
        await send(author, method, f"pipelines/{pipeline_id}/documents", data, status=200)
    assert (await indexed(author, pipeline_id))["documents"]["indexed"] == 120
    page = await author.get(f"pipelines/{pipeline_id}/documents?limit=1000")
    assert [(one["id"], one["metadata"]) for one in page] == [(one["id"], metadata) for one in documents]
    assert [len(await store.pipeline_documents.drop_some(pipeline_id)) for _ in range(3)] == [PART, 20, 0]


async def test_a_deleted_document_is_not_found_and_may_come_again(server: Server, author: Rest) -> None:
    pipeline_id = await filled(author, TEXT, "Cats are not let in.")
    before = await server.app[keys.STORE].pipelines.get(pipeline_id)
    await author.delete(f"pipelines/{pipeline_id}/documents/d0")
    after = await server.app[keys.STORE].pipelines.get(pipeline_id)
    assert before is not None
    assert after is not None
    assert after.changes == before.changes + 1
    for part in ("", "/status", "/chunks"):
        assert set(await author.get(f"pipelines/{pipeline_id}/documents/d0{part}", status=404)) == {"detail"}
    await author.delete(f"pipelines/{pipeline_id}/documents/d0", status=404)
    await put(author, pipeline_id, [{"id": "d0", "text": TEXT}])
    assert (await indexed(author, pipeline_id))["documents"]["indexed"] == 2


async def test_documents_deleted_at_once_are_all_gone(author: Rest) -> None:
    pipeline_id = await filled(author, *(f"Text {n}." for n in range(20)))
    paths = [f"pipelines/{pipeline_id}/documents/d{n}" for n in range(20)]
    await asyncio.gather(*(author.delete(path) for path in paths))
    assert await author.get(f"pipelines/{pipeline_id}/documents") == []
    assert (await author.get(f"pipelines/{pipeline_id}/status"))[
        "status"
    ] == "SUCCESS"  # not to be waited for


async def test_files_become_documents(server: Server, author: Rest) -> None:
    pipeline_id = (await pipeline(author))["id"]
    files = {"hours.md": b"# Hours\n\nOpen at nine.", "old/Übersicht.html": b"<p>No <b>cats</b></p>"}
    hours, rules = await upload(author, pipeline_id, files, metadata='{"year": 2024}')
    assert hours["metadata"] == {"file_name": "hours.md", "content_type": "text/markdown", "year": 2024}
    assert rules["metadata"]["file_name"] == "Übersicht.html"
    assert (await indexed(author, pipeline_id))["status"] == "SUCCESS"
    read = await author.get(f"pipelines/{pipeline_id}/documents/{rules['id']}")
    assert "cats" in read["text"]
    assert "<p>" not in read["text"]
    stored = await server.app[keys.STORE].pipeline_documents.get(pipeline_id, rules["id"])
    assert stored is not None
    assert stored.file is None  # its text is there, so it is no longer needed


async def test_a_file_is_replaced_by_id_under_put(author: Rest) -> None:
    pipeline_id = (await pipeline(author))["id"]
    for text in (b"Open at nine.", b"Open at ten."):
        (one,) = await upload(author, pipeline_id, {"a.txt": text}, method="PUT", id="hours")
        assert one["id"] == "hours"
        await indexed(author, pipeline_id)
        (read,) = await author.get(f"pipelines/{pipeline_id}/documents")
        assert read["text"] == text.decode()
    await upload(author, pipeline_id, {"a.txt": b"again"}, id="hours", status=409)


async def test_files_that_are_wrong_are_refused(author: Rest) -> None:
    pipeline_id = (await pipeline(author))["id"]
    wrong: list[tuple[dict[str, bytes], dict[str, str], list[str]]] = [
        ({"a.exe": b"MZ"}, {}, ["body", "file"]),
        ({"a.md": b"a", "b.md": b"b"}, {"id": "x"}, ["body", "id"]),
        ({"a.md": b"a"}, {"metadata": "[]"}, ["body", "metadata"]),
        ({"a.md": b"a"}, {"metadata": "{"}, ["body"]),
        ({"a.md": b"a"}, {"other": "x"}, ["body", "other"]),
    ]
    for files, fields, loc in wrong:
        answer = await upload(author, pipeline_id, files, status=422, **fields)
        assert [one["loc"] for one in answer["detail"]] == [loc]
    path, form = f"pipelines/{pipeline_id}/documents", "multipart/form-data"
    about = b'Content-Disposition: form-data; name="file"; filename="a.md"\r\nContent-Encoding: gzip'
    packed = b"--b\r\n" + about + b"\r\n\r\nx\r\n--b--\r\n"
    for kind, body in (
        (form, b"x"),
        (f"{form}; boundary=b", b"--b"),
        (f"{form}; boundary=b", b"none"),
        (f"{form}; boundary=b", packed),
    ):
        await author.ask("POST", path, status=422, data=body, headers={"Content-Type": kind})
    await upload(author, pipeline_id, {"a.txt": b"x" * (MAX_FILE + 1)}, status=413)
    assert await author.get(path) == []


async def test_files_that_nobody_names_are_removed(server: Server, author: Rest) -> None:
    pipeline_id = (await pipeline(author))["id"]
    (one,) = await upload(author, pipeline_id, {"a.txt": b"Open at nine."})
    await indexed(author, pipeline_id)
    store = server.app[keys.STORE]
    await age(store)
    await store.pipeline_files.drop_loose()
    assert await store.database.pipeline_files.count_documents({}) == 0
    assert (await author.get(f"pipelines/{pipeline_id}/documents/{one['id']}"))["text"] == "Open at nine."


async def test_a_file_that_is_put_again_while_it_is_removed_stays(server: Server, author: Rest) -> None:
    pipeline_id, store = (await pipeline(author))["id"], server.app[keys.STORE]
    locked = {"a.pdf": encrypted("Open at nine.")}  # cannot be read, so it is kept
    await upload(author, pipeline_id, locked, id="hours")
    await indexed(author, pipeline_id)
    await author.delete(f"pipelines/{pipeline_id}/documents/hours")
    assert await store.database.pipeline_files.count_documents({}) == 1
    await age(store)
    seen = await store.pipeline_files.loose()
    assert len(seen) == 1
    await upload(author, pipeline_id, locked, id="hours")
    await store.pipeline_files.drop(seen)
    (status,) = (await indexed(author, pipeline_id))["error"]
    assert "encrypted" in status["message"]
    assert await store.database.pipeline_files.count_documents({}) == 1


async def age(store: Store) -> None:
    long_ago = {"$set": {"created_at": datetime(2020, 1, 1, tzinfo=UTC)}}
    await store.database.pipeline_files.update_many({}, long_ago)
