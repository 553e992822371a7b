"""Pipelines: one for each name of an owner, and what deleted ones leave behind."""

from collections.abc import Mapping
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError

from schemas.envelope import Id, utc_now
from schemas.pipeline import Pipeline, PipelineType
from schemas.retrieval import RetrievalParams
from schemas.stored import Owner
from server.errors import Conflict
from server.store.aggregates import to_document
from server.store.guard import guard

LOOK = 10_000  # deleted pipelines that one look returns
_NAMED = {"name": {"$exists": True}}
INDEXES: dict[str, list[IndexModel]] = {
    "pipelines": [
        IndexModel(
            [("org", 1), ("owner.kind", 1), ("owner.id", 1), ("name", 1)],
            unique=True,
            partialFilterExpression=_NAMED,
        ),
        IndexModel([("org", 1), ("shared", 1), ("created_at", 1), ("_id", 1)]),
        IndexModel([("recut", 1)], sparse=True),
        IndexModel([("deleted_at", 1)], partialFilterExpression={"deleted_at": {"$exists": True}}),
    ]
}


class PipelineStore:
    """Reads and writes pipelines; a deleted one is as good as missing."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._pipelines = database.pipelines

    async def get(self, pipeline_id: Id) -> Pipeline | None:
        """Return a pipeline, None when there is none."""
        with guard():
            row = await self._pipelines.find_one({"_id": pipeline_id, **_NAMED})
        return _read(row) if row else None

    async def named(self, name: str, *, owner: Owner, org: str) -> Pipeline | None:
        """Return an owner's pipeline by its name, None when there is none."""
        with guard():
            row = await self._pipelines.find_one(_mine(owner, org) | {"name": name})
        return _read(row) if row else None

    async def create(self, pipeline: Pipeline) -> bool:
        """Store a new pipeline; False when its owner has one of this name, or this one, already."""
        with guard():
            try:
                await self._pipelines.insert_one(_row(pipeline))
            except DuplicateKeyError:
                return False
        return True

    async def change(
        self, pipeline_id: Id, fields: Mapping[str, Any], *, preset: RetrievalParams | None
    ) -> Pipeline | None:
        """Change fields and return the pipeline, None when there is none; Conflict for a taken name."""
        literal: dict[str, Any] = {name: {"$literal": value} for name, value in fields.items()}
        if preset is not None:
            literal["preset_retrieval_parameters"] = {"$literal": _packed(preset)}
        if "transform_config" in fields:
            is_same = {"$eq": ["$transform_config", literal["transform_config"]]}
            literal["transform_version"] = {"$add": ["$transform_version", {"$cond": [is_same, 0, 1]}]}
            literal["recut"] = {"$cond": [is_same, "$recut", True]}  # until indexing has noted it
        with guard():
            try:
                found = await self._pipelines.find_one_and_update(
                    {"_id": pipeline_id, **_NAMED},
                    [{"$set": {**literal, "updated_at": utc_now()}}],
                    return_document=ReturnDocument.AFTER,
                )
            except DuplicateKeyError as error:
                raise Conflict("You have another pipeline of this name already.") from error
        return _read(found) if found else None

    async def count(self, *, owner: Owner, org: str) -> int:
        """Return how many pipelines an owner has."""
        with guard():
            return await self._pipelines.count_documents(_mine(owner, org) | _NAMED)

    async def listed(
        self,
        *,
        owner: Owner,
        org: str,
        name: str | None = None,
        pipeline_type: PipelineType | None = None,
        skip: int,
        limit: int,
    ) -> list[Pipeline]:
        """Return some of the pipelines that are an owner's or shared in the organisation, oldest first."""
        query: dict[str, Any] = {"$or": [_mine(owner, org) | _NAMED, {"org": org, "shared": True}]}
        wanted = {"name": name, "pipeline_type": pipeline_type}
        query |= {field: value for field, value in wanted.items() if value is not None}
        with guard():
            found = self._pipelines.find(query).sort([("created_at", 1), ("_id", 1)])
            rows = await found.skip(skip).limit(limit).to_list(limit)
        return [_read(row) for row in rows]

    # --- deleting -------------------------------------------------------------------------------------------

    async def delete(self, pipeline_id: Id) -> bool:
        """Let a pipeline be gone for everybody, leaving a mark of it to remove what was in it by."""
        with guard():
            result = await self._pipelines.replace_one(
                {"_id": pipeline_id, **_NAMED}, {"deleted_at": utc_now()}
            )
        return result.modified_count == 1

    async def deleted(self) -> list[Id]:
        """Return pipelines that are deleted and whose mark is still there."""
        with guard():
            found = self._pipelines.find({"deleted_at": {"$exists": True}}, projection={"_id": 1})
            rows = await found.sort("deleted_at", 1).limit(LOOK).to_list(LOOK)
        return [row["_id"] for row in rows]

    async def drop_mark(self, pipeline_id: Id) -> None:
        """Forget that there was a pipeline; call it once nothing of it can be left."""
        with guard():
            await self._pipelines.delete_one({"_id": pipeline_id, "deleted_at": {"$exists": True}})


def _mine(owner: Owner, org: str) -> dict[str, Any]:
    return {"org": org, "owner.kind": owner.kind, "owner.id": owner.id}


def _row(pipeline: Pipeline) -> dict[str, Any]:
    """Return a pipeline as it is stored; the preset as JSON, because null in a filter means something."""
    preset = _packed(pipeline.preset_retrieval_parameters)
    return {**to_document(pipeline), "preset_retrieval_parameters": preset}


def _packed(preset: RetrievalParams) -> bytes:
    return preset.model_dump_json().encode()


def _read(row: dict[str, Any]) -> Pipeline:
    preset = RetrievalParams.model_validate_json(row["preset_retrieval_parameters"])
    return Pipeline.model_validate({**row, "id": row["_id"], "preset_retrieval_parameters": preset})
