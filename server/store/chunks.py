"""Chunks of documents, with their vectors; which of them count is said by the documents.

A document's chunks are written under its revision before the document says that they are indexed, so nobody
sees half of them. Documents whose chunks may have to be removed are noted before that is so.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol
from uuid import uuid4

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ASCENDING, DeleteMany, IndexModel, InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from schemas.envelope import Id
from schemas.pipeline import Chunk
from server.store.aggregates import to_document
from server.store.clearing import drop_part
from server.store.guard import guard

AT_ONCE = 500  # documents that are asked for at once
LOOSE_SECONDS = 15  # who has just read which chunks count has time to read them
LOOK = 16  # notes that are looked at together
DUPLICATE = 11000
_OLD = {"$lt": ["$at", {"$subtract": ["$$NOW", LOOSE_SECONDS * 1000]}]}
Documents = AsyncIOMotorDatabase[dict[str, Any]]
INDEXES: dict[str, list[IndexModel]] = {
    "chunks": [
        IndexModel([("document_key", ASCENDING), ("revision", ASCENDING), ("number", ASCENDING)]),
        IndexModel([("pipeline_id", ASCENDING)]),
    ],
    "chunk_sweeps": [IndexModel([("at", ASCENDING)])],
}


class Length(Protocol):
    """How many chunks a document's revision has."""

    @property
    def key(self) -> Id:
        """Return the document's key."""

    @property
    def revision(self) -> int:
        """Return its revision."""

    @property
    def chunks(self) -> int:
        """Return how many chunks it has."""


class ChunkStore:
    """Keeps chunks; `live` says which count."""

    def __init__(self, database: Documents) -> None:
        self._chunks = database.chunks
        self._sweeps = database.chunk_sweeps
        self._documents = database.pipeline_documents
        self._pipelines = database.pipelines

    # --- reading --------------------------------------------------------------------------------------------

    async def live(self, pipeline_id: Id) -> tuple[int, dict[Id, int]]:
        """Return a pipeline's `changes`, and the revision whose chunks count of each document by its key.

        The map may be newer than `changes`, never older. A pipeline that is not there has none.
        """
        with guard():
            row = await self._pipelines.find_one({"_id": pipeline_id}, projection={"changes": 1})
            if row is None:
                return 0, {}
            query = {"pipeline_id": pipeline_id, "indexed": {"$gt": 0}}
            rows = await self._documents.find(query, projection={"indexed": 1}).to_list(None)
        return int(row.get("changes", 0)), {found["_id"]: found["indexed"] for found in rows}

    async def of_documents(self, revisions: Mapping[Id, int]) -> list[Chunk]:
        """Return the chunks of these documents (by key) in these revisions, in their order."""
        found: list[Chunk] = []
        keys = sorted(revisions)
        for at in range(0, len(keys), AT_ONCE):
            either = [{"document_key": key, "revision": revisions[key]} for key in keys[at : at + AT_ONCE]]
            order = [("document_key", 1), ("revision", 1), ("number", 1)]
            with guard():
                rows = await self._chunks.find({"$or": either}).sort(order).to_list(None)
            found += (_read(row) for row in rows)
        return found

    async def get(self, ids: Iterable[Id]) -> dict[Id, Chunk]:
        """Return chunks by id, without their vectors; those that are gone are left out."""
        with guard():
            rows = await self._chunks.find({"_id": {"$in": list(ids)}}, projection={"vector": 0}).to_list(
                None
            )
        return {row["_id"]: _read(row) for row in rows}

    async def of_document(self, key: Id, *, revision: int, skip: int = 0, limit: int = 100) -> list[Chunk]:
        """Return some chunks of a document in their order, without their vectors."""
        query = {"document_key": key, "revision": revision, "number": {"$gte": skip, "$lt": skip + limit}}
        with guard():
            rows = await self._chunks.find(query, projection={"vector": 0}).sort("number", 1).to_list(None)
        return [_read(row) for row in rows]

    # --- writing --------------------------------------------------------------------------------------------

    async def write(self, chunks: Sequence[Chunk]) -> None:
        """Store chunks, also in the place of those with their ids; `note_loose` comes before."""
        rows = [to_document(chunk) for chunk in chunks]
        if rows:
            with guard():
                if there := await self._insert(rows):
                    writes = [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in there]
                    await self._chunks.bulk_write(writes, ordered=False)

    async def shorten(self, lengths: Iterable[Length]) -> None:
        """Remove what a former try has left beyond the last chunk of documents' revisions."""
        alike = defaultdict[tuple[int, int], list[Id]](list)
        for one in lengths:
            alike[one.revision, one.chunks].append(one.key)
        beyond = [
            DeleteMany({"document_key": {"$in": keys}, "revision": revision, "number": {"$gte": chunks}})
            for (revision, chunks), keys in alike.items()
        ]
        if beyond:
            with guard():
                await self._chunks.bulk_write(beyond, ordered=False)

    async def note_loose(self, keys: Iterable[Id]) -> None:
        """Note documents, by key, whose chunks are to be looked through soon: `sweep` removes what is loose.

        Call it before chunks are written, and with the change after which some no longer count.
        """
        with guard():
            await self._sweeps.bulk_write(loose_writes(keys))

    async def sweep(self) -> int:
        """Remove loose chunks of documents noted a while ago; return how many notes were looked at."""
        with guard():
            noted = await self._sweeps.find({"$expr": _OLD}).sort("at", 1).limit(LOOK).to_list(LOOK)
            if noted:
                loose = await self._loose({key for row in noted for key in row["keys"]})
                # Asked after the documents: whose change was seen there has its own note, and its time.
                again = await self._noted_again(loose) if loose else set()
                removing = [_removal(key, kept) for key, kept in loose.items() if key not in again]
                if removing:
                    await self._chunks.bulk_write(removing, ordered=False)
                await self._sweeps.delete_many({"_id": {"$in": [row["_id"] for row in noted]}})
        return len(noted)

    async def drop_some(self, pipeline_id: Id) -> list[Id]:
        """Remove some chunks of a pipeline that is gone and return their ids, none when none is left."""
        return await drop_part(self._chunks, {"pipeline_id": pipeline_id})

    async def _loose(self, keys: Iterable[Id]) -> dict[Id, tuple[int, ...]]:
        """Return which revisions are kept of those documents that may have others, by their keys."""
        query = {"_id": {"$in": list(keys)}}
        rows = await self._documents.find(query, projection={"revision": 1, "indexed": 1}).to_list(None)
        kept = {row["_id"]: (row["indexed"], row["revision"]) for row in rows}
        # There is nothing before a first revision.
        return {key: kept.get(key, ()) for key in keys if kept.get(key) not in ((0, 1), (1, 1))}

    async def _noted_again(self, keys: Iterable[Id]) -> set[Id]:
        """Return those of some documents that were noted a short while ago."""
        query = {"keys": {"$in": list(keys)}, "$expr": {"$not": _OLD}}
        rows = await self._sweeps.find(query, projection={"keys": 1}).to_list(None)
        return {key for row in rows for key in row["keys"]}

    async def _insert(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Insert rows, which costs half of what replacing them would; return those that are there already."""
        try:
            await self._chunks.bulk_write([InsertOne(row) for row in rows], ordered=False)
        except BulkWriteError as error:
            details = error.details or {}
            failed = details.get("writeErrors", [])
            if details.get("writeConcernErrors") or any(one.get("code") != DUPLICATE for one in failed):
                raise
            return [rows[one["index"]] for one in failed]
        return []


def loose_writes(keys: Iterable[Id]) -> list[UpdateOne]:
    """Return what notes documents together in the collection chunk_sweeps, for transactions."""
    noted = {"at": "$$NOW", "keys": {"$literal": sorted(set(keys))}}
    return [UpdateOne({"_id": str(uuid4())}, [{"$set": noted}], upsert=True)]


def _removal(key: Id, kept: Sequence[int]) -> DeleteMany:
    """Return what removes the chunks of a document but for those of the revisions that are kept."""
    # What is newer than what was read here may have come since, and count.
    loose = {"revision": {"$nin": list(kept), "$lt": max(kept)}} if kept else {}
    return DeleteMany({"document_key": key, **loose})


def _read(row: dict[str, Any]) -> Chunk:
    return Chunk.model_construct(**{"vector": b"", **row, "id": row["_id"]})
