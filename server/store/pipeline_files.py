"""Uploaded files, in pieces, until they have been read."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import IndexModel

from schemas.envelope import Id, utc_now
from server.store.guard import guard

PIECE_BYTES = 8 * 1024 * 1024
LOOSE_SECONDS = 600  # a file that no document names after this long is nobody's
LOOK = 100
_OLD = {"$lt": ["$created_at", {"$subtract": ["$$NOW", LOOSE_SECONDS * 1000]}]}
INDEXES: dict[str, list[IndexModel]] = {
    "pipeline_files": [IndexModel([("_id.n", 1), ("created_at", 1)])],
    "pipeline_documents": [
        IndexModel([("file", 1)], partialFilterExpression={"file": {"$type": "string"}}, name="file")
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file as it was sent, its name and what it is."""

    data: bytes
    name: str
    content_type: str


class PipelineFileStore:
    """Keeps files by id; the documents that name them are stored after them."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._files = database.pipeline_files
        self._documents = database.pipeline_documents

    async def put(self, file_id: Id, file: StoredFile) -> None:
        """Store a file."""
        about = {"name": file.name, "content_type": file.content_type, "created_at": utc_now()}
        with guard():
            for n, at in enumerate(range(0, max(1, len(file.data)), PIECE_BYTES)):
                piece = {**about, "data": file.data[at : at + PIECE_BYTES]}
                await self._files.replace_one({"_id": {"f": file_id, "n": n}}, piece, upsert=True)

    async def get(self, file_id: Id) -> StoredFile | None:
        """Return a file, None when it is gone."""
        with guard():
            rows = await self._files.find(_pieces(file_id)).sort("_id", 1).to_list(None)
        if not rows:
            return None
        data = b"".join(bytes(row["data"]) for row in rows)
        return StoredFile(data=data, name=rows[0]["name"], content_type=rows[0]["content_type"])

    async def drop_loose(self) -> None:
        """Remove files that no document names: their document was replaced or deleted, or never stored."""
        await self.drop(await self.loose())

    async def loose(self) -> list[Id]:
        """Return some files that were stored a while ago and that no document names."""
        named = {"from": "pipeline_documents", "localField": "_id.f", "foreignField": "file", "as": "named"}
        stages: list[dict[str, Any]] = [
            {"$match": {"_id.n": 0, "$expr": _OLD}},
            {"$project": {"_id": 1}},
            {"$lookup": {**named, "pipeline": [{"$project": {"_id": 1}}]}},
            {"$match": {"named": []}},
            {"$limit": LOOK},
        ]
        with guard():
            return [row["_id"]["f"] for row in await self._files.aggregate(stages).to_list(LOOK)]

    async def drop(self, files: Iterable[Id]) -> None:
        """Remove files, but for those that were stored anew: a document is about to name them."""
        with guard():
            for file_id in files:
                await self._files.delete_many({**_pieces(file_id), "$expr": _OLD})


def _pieces(file_id: Id) -> dict[str, Any]:
    return {"_id": {"$gte": {"f": file_id, "n": 0}, "$lt": {"f": file_id, "n": 2**31}}}
