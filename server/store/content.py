"""Authored content, one collection for all kinds."""

from typing import Any, Literal

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import DuplicateKeyError

from schemas.content import CONTENT_MODELS, AnyContent, ContentKind, StoredContent
from server.store.guard import guard
from server.store.pages import Page, page_filter, to_page

# The fields of bodies that hold ids of a kind.
_REFERRING: dict[ContentKind | Literal["pipeline"], tuple[str, ...]] = {
    "persona": ("persona_id", "profile_personas.persona_id"),
    "rubric": ("rubric_id", "scenarios.rubric_id", "runs.rubric_id"),
    "document": ("document_ids",),
    "scenario": ("scenarios.scenario_id",),
    "agent": ("agent_ids",),
    "pipeline": ("pipeline_id",),
}
# Fields of bodies that are too long for lists, which tell their number in a field beside the others.
_COUNTED: dict[ContentKind, tuple[str, str]] = {"benchmark": ("runs", "run_count")}


class ContentStore:
    """Reads and writes content of an organisation; foreign content is as good as missing."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._content = database.content

    async def put(self, contents: list[tuple[ContentKind, AnyContent]], *, org: str) -> int:
        """Insert or replace content by its ids; return how many documents are new or different."""
        if not contents:
            return 0
        writes = [_upsert(kind, content, org) for kind, content in contents]
        with guard():
            result = await self._content.bulk_write(writes, ordered=True)
        return int(result.upserted_count + result.modified_count)

    async def write(
        self, kind: ContentKind, content: AnyContent, *, org: str, version: int | None = None
    ) -> StoredContent | None:
        """Insert or replace one document and return it; with a version, only replace what has it.

        None when the document does not have that version, or its id belongs to another kind or organisation.
        """
        query: dict[str, Any] = {"_id": content.id, "org": org, "kind": kind}
        if version is not None:
            query["version"] = version
        for upsert in (version is None, False):  # again when somebody else inserted it at the same time
            with guard():
                try:
                    row = await self._content.find_one_and_update(
                        query, _changes(content), upsert=upsert, return_document=ReturnDocument.AFTER
                    )
                except DuplicateKeyError:
                    continue
            return _read(row) if row else None
        return None

    async def get(self, kind: ContentKind, key: str, *, org: str) -> StoredContent | None:
        """Return a document, None when there is none."""
        with guard():
            row = await self._content.find_one({"_id": key, "kind": kind, "org": org})
        return _read(row) if row else None

    async def many(self, kind: ContentKind, keys: list[str], *, org: str) -> dict[str, StoredContent]:
        """Return documents by their ids; those that do not exist are left out."""
        with guard():
            rows = await self._content.find({"_id": {"$in": keys}, "kind": kind, "org": org}).to_list(None)
        return {row["_id"]: _read(row) for row in rows}

    async def body(self, kind: ContentKind, key: str, *, org: str) -> AnyContent | None:
        """Return content as its model."""
        stored = await self.get(kind, key, org=org)
        return CONTENT_MODELS[kind].model_validate(stored.body) if stored else None

    async def exists(self, key: str) -> bool:
        """Tell whether an id is in use, by whatever kind or organisation."""
        with guard():
            return await self._content.find_one({"_id": key}, projection={"_id": 1}) is not None

    async def delete(self, kind: ContentKind, key: str, *, org: str) -> bool:
        """Remove a document; False when there was none."""
        with guard():
            result = await self._content.delete_one({"_id": key, "kind": kind, "org": org})
        return result.deleted_count == 1

    async def page(
        self, kind: ContentKind, *, org: str, limit: int, cursor: str | None, assigned: str | None = None
    ) -> Page[dict[str, Any]]:
        """Return a page of rows, newest first; `assigned` limits homes to those of a profile."""
        query: dict[str, Any] = {"kind": kind, "org": org}
        if assigned is not None:
            query["body.profiles"] = {"$in": ["everyone", assigned]}
        pipeline: list[dict[str, Any]] = [
            {"$match": {**query, **page_filter(cursor)}},
            {"$sort": {"created_at": -1, "_id": -1}},
            {"$limit": limit + 1},
            *_counted(kind),
        ]
        with guard():
            rows = await self._content.aggregate(pipeline).to_list(limit + 1)
        return to_page(rows, limit)

    async def named(self, kind: ContentKind, name: str, *, org: str) -> list[str]:
        """Return the ids of up to five documents with a name, oldest first."""
        query = {"kind": kind, "org": org, "name": name}
        with guard():
            found = self._content.find(query, projection={"_id": 1})
            rows = await found.sort([("created_at", 1), ("_id", 1)]).to_list(5)
        return [row["_id"] for row in rows]

    async def naming(
        self, kind: ContentKind | Literal["pipeline"], key: str, *, org: str
    ) -> list[StoredContent]:
        """Return up to five documents, without bodies, that refer to one by any field of its kind."""
        fields = _REFERRING.get(kind, ())
        if not fields:
            return []
        query = {"org": org, "$or": [{f"body.{field}": key} for field in fields]}
        with guard():
            found = self._content.find(query, projection={"body": 0})
            rows = await found.sort([("created_at", 1), ("_id", 1)]).to_list(5)
        return [_read({**row, "body": {}}) for row in rows]


def _counted(kind: ContentKind) -> list[dict[str, Any]]:
    if kind not in _COUNTED:
        return []
    field, count = _COUNTED[kind]
    return [{"$set": {f"body.{count}": {"$size": f"$body.{field}"}}}, {"$unset": f"body.{field}"}]


def _upsert(kind: ContentKind, content: AnyContent, org: str) -> UpdateOne:
    return UpdateOne({"_id": content.id, "org": org, "kind": kind}, _changes(content), upsert=True)


def _changes(content: AnyContent) -> list[dict[str, Any]]:
    """Replace the body, keep created_at, and leave an equal document untouched."""
    body = content.model_dump(exclude_none=True)
    changed = {"$ne": ["$body", {"$literal": body}]}
    return [
        {
            "$set": {
                "name": {"$literal": content.name},
                "created_at": {"$ifNull": ["$created_at", "$$NOW"]},
                "updated_at": {"$cond": [changed, "$$NOW", "$updated_at"]},
                "version": {"$cond": [changed, {"$add": [{"$ifNull": ["$version", 0]}, 1]}, "$version"]},
                "body": {"$literal": body},
            }
        }
    ]


def _read(row: dict[str, Any]) -> StoredContent:
    return StoredContent.model_validate({**row, "id": row["_id"]})
