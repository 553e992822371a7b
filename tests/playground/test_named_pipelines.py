"""Pipelines that personas and agents name: kept while they are needed, and no hindrance to editing."""

from typing import Any

import pytest

from schemas.envelope import Id
from tests.playground.client import pipeline
from tests.support.rest import People, Rest

BODIES: dict[str, dict[str, Any]] = {
    "personas": {"name": "Vera", "instructions": "You are Vera."},
    "agents": {"name": "Clerk", "instructions": "You answer."},
}


async def named(author: Rest, kind: str, **fields: Any) -> tuple[Id, Id]:
    """Return a pipeline and content that names it."""
    made = await pipeline(author, **fields)
    content = await author.post(kind, BODIES[kind] | {"pipeline_id": made["id"]})
    return made["id"], content["id"]


@pytest.mark.parametrize("kind", BODIES)
async def test_a_pipeline_that_content_names_is_not_deleted(author: Rest, kind: str) -> None:
    pipeline_id, key = await named(author, kind)
    refused = await author.delete(f"pipelines/{pipeline_id}", 409)
    assert f"still used by {kind[:-1]} “{BODIES[kind]['name']}”" in refused["detail"]
    await author.delete(f"pipelines/{pipeline_id}?force=false", 409)
    await author.delete(f"pipelines/{pipeline_id}?force=maybe", 422)
    await author.get(f"pipelines/{pipeline_id}")
    await author.delete(f"{kind}/{key}")
    await author.delete(f"pipelines/{pipeline_id}")


async def test_force_deletes_what_content_names(author: Rest) -> None:
    first, _ = await named(author, "personas")
    await author.delete(f"pipelines/{first}?force=true")
    second, _ = await named(author, "agents")
    await author.ask("POST", f"pipelines/{second}/force-delete", status=204)
    for pipeline_id in (first, second):
        await author.get(f"pipelines/{pipeline_id}", status=404)


async def test_only_the_owner_is_told_who_uses_it(author: Rest, people: People) -> None:
    pipeline_id, _ = await named(author, "personas", shared=True)
    for person, status in ((people.a("author"), 403), (people.a("author", org="elsewhere"), 404)):
        for path in (f"pipelines/{pipeline_id}", f"pipelines/{pipeline_id}?force=true"):
            assert "Vera" not in (await person.delete(path, status))["detail"]


@pytest.mark.parametrize("kind", BODIES)
async def test_content_keeps_a_pipeline_that_its_editor_may_not_read(
    author: Rest, people: People, kind: str
) -> None:
    pipeline_id, key = await named(author, kind)
    other = people.a("author")
    body = BODIES[kind] | {"description": "Newer", "pipeline_id": pipeline_id}
    assert (await other.put(f"{kind}/{key}", body))["pipeline_id"] == pipeline_id
    refused = await other.post(kind, body, status=400)
    assert refused["error"]["details"][0]["loc"] == ["pipeline_id"]
    await author.delete(f"pipelines/{pipeline_id}?force=true")
    await other.put(f"{kind}/{key}", body | {"description": "Newest"})
    await other.put(f"{kind}/{key}", BODIES[kind])
    await other.put(f"{kind}/{key}", body, status=400)
