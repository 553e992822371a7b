"""Drafts over HTTP: versions, conflicts that lose nothing, packs, and what artifacts consist of."""

import asyncio
from typing import Any

import orjson

from schemas.generation import ARTIFACTS
from server.engine.ids import new
from server.engine.packs import content_id, read_pack
from tests.support.rest import People, Rest
from tests.support.running import PACK, Server

Data = dict[str, Any]


async def patch(rest: Rest, draft_id: str, version: int, changes: Data, *, status: int = 200) -> Any:
    """Change a draft."""
    body = orjson.dumps({"expected_version": version, "changes": changes})
    return orjson.loads(await rest.ask("PATCH", f"drafts/{draft_id}", status=status, data=body))


async def test_a_draft_is_changed_by_versions(server: Server, people: People) -> None:
    rest = people.a("author")
    draft = await rest.post("drafts", {"artifact_type": "persona"})
    assert (draft["version"], draft["form_state"]) == (1, {})
    changed = await patch(rest, draft["id"], 1, {"names": {"name": "Ada"}, "colors": {"color": "#000000"}})
    assert changed["draft_id"] == draft["id"]
    assert changed["new_version"] == 2
    changed = await patch(rest, draft["id"], 2, {"colors": None})
    assert changed["form_state"] == {"names": {"name": "Ada"}}
    refused = await patch(rest, draft["id"], 2, {"names": {"name": "Bob"}}, status=409)
    assert refused["error"]["code"] == "conflict"
    details = refused["error"]["details"][0]
    assert (details["current_version"], details["form_state"]) == (3, {"names": {"name": "Ada"}})
    assert (await rest.get(f"drafts/{draft['id']}"))["version"] == 3


async def test_of_changes_at_the_same_time_one_wins_and_none_is_lost(server: Server, people: People) -> None:
    rest = people.a("author")
    draft = await rest.post("drafts", {"artifact_type": "persona"})

    async def add(key: str) -> None:
        version = 1
        while True:
            body = {"expected_version": version, "changes": {key: {"name": key}}}
            status = await rest.outcome("PATCH", f"drafts/{draft['id']}", body)
            if status == 200:
                return
            assert status == 409
            version = (await rest.get(f"drafts/{draft['id']}"))["version"]

    kinds = list(ARTIFACTS["persona"].resources)[:6]
    await asyncio.gather(*(add(kind) for kind in kinds))
    found = await rest.get(f"drafts/{draft['id']}")
    assert (found["version"], set(found["form_state"])) == (7, set(kinds))


async def test_only_what_a_save_could_use_is_taken(server: Server, people: People) -> None:
    rest = people.a("author")
    draft = await rest.post("drafts", {"artifact_type": "persona"})
    for name in ("name", "_id", "__proto__", "names.name", "objectives"):
        refused = await patch(rest, draft["id"], 1, {name: {"name": "Ada"}}, status=400)
        assert "names" in refused["error"]["message"]
    assert (await rest.get(f"drafts/{draft['id']}"))["form_state"] == {}


async def test_drafts_are_their_owners(server: Server, people: People) -> None:
    rest, other = people.a("author"), people.a("author")
    draft = await rest.post("drafts", {"artifact_type": "rubric"})
    copy = await rest.post(f"drafts/{draft['id']}/duplicate")
    assert [d["id"] for d in (await rest.get("drafts"))["items"]] == [copy["id"], draft["id"]]
    assert (await other.get("drafts"))["items"] == []
    for path in (f"drafts/{draft['id']}", f"drafts/{draft['id']}/export", f"drafts/{new()}"):
        assert await other.refused(path, status=404) == "not_found"
    await patch(other, draft["id"], 1, {"names": {"name": "x"}}, status=404)
    await other.delete(f"drafts/{draft['id']}", status=404)
    await rest.delete(f"drafts/{draft['id']}")
    await rest.get(f"drafts/{draft['id']}", status=404)


async def test_what_cannot_be_a_draft_is_refused(server: Server, people: People) -> None:
    author, learner = people.a("author"), people.a("learner")
    await author.post("drafts", {"artifact_type": "castle"}, status=400)
    await author.post("drafts", {}, status=400)
    await author.post("drafts", {"artifact_type": "persona", "artifact_id": new()}, status=404)
    await author.post("drafts", {"artifact_type": "chat"}, status=400)
    await author.post("drafts", {"artifact_type": "chat", "artifact_id": new()}, status=404)
    await learner.post("drafts", {"artifact_type": "persona"}, status=403)
    await people.a("ops").post("drafts", {"artifact_type": "persona"}, status=403)
    draft = await author.post("drafts", {"artifact_type": "persona"})
    await patch(author, draft["id"], 1, {}, status=400)
    await patch(author, draft["id"], 0, {"names": {"name": "x"}}, status=400)
    await patch(author, draft["id"], 1, {"names": "Ada"}, status=400)
    await patch(author, draft["id"], 1, {"n" * 65: {}}, status=400)


async def test_a_draft_is_exported_as_a_pack_that_can_be_loaded(server: Server, people: People) -> None:
    rest = people.a("author")
    key = content_id("lesson", "scenario", "quiz")
    draft = await rest.post("drafts", {"artifact_type": "scenario", "artifact_id": key})
    await patch(rest, draft["id"], 1, {"names": {"name": "Loops again"}})
    text = await rest.ask("GET", f"drafts/{draft['id']}/export", status=200)
    pack = read_pack(text, file="draft.yaml")
    scenario = next(c for kind, c in pack.contents if kind == "scenario")
    assert (scenario.id, scenario.name) == (key, "Loops again")
    assert {kind for kind, _ in pack.contents} == {"persona", "rubric", "scenario"}
    empty = await rest.post("drafts", {"artifact_type": "persona"})
    refused = await rest.get(f"drafts/{empty['id']}/export", status=409)
    assert "name" in refused["error"]["message"]


async def test_everything_exported_loads_as_it_was(server: Server, people: People) -> None:
    rest = people.a("author")
    lesson = read_pack(PACK.read_text(), file="lesson.yaml")
    stored = {content.id: content for _, content in lesson.contents}
    for kind, content in lesson.contents:
        text = await rest.ask("GET", f"{kind}s/{content.id}/export", status=200)
        for _, found in read_pack(text, file="export.yaml").contents:
            assert found == stored[found.id]
    await people.a("learner").get(f"personas/{lesson.contents[0][1].id}/export", status=403)
    await rest.get(f"personas/{new()}/export", status=404)


async def test_docs_tell_the_schemas_of_every_artifact(server: Server, people: People) -> None:
    rest = people.a("learner")
    for artifact, parts in ARTIFACTS.items():
        docs = await rest.get(f"docs/{artifact}")
        assert tuple(docs["resource_types"]) == parts.resources
        assert tuple(docs["entry_types"]) == parts.entries
    docs = await rest.get("docs/persona")
    assert docs["resource_types"]["names"]["schema"]["properties"]["name"]["maxLength"] == 120
    assert docs["needed_to_save"] == ["names", "instructions"]
    await rest.get("docs/castle", status=404)
