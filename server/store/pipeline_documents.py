"""Documents of pipelines, as clients send them and as indexing leaves them.

Metadata is kept as the JSON that it was: whatever its keys are, the database reads no meaning into them.
What filters ask for is kept beside it as `facts`.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import orjson
from motor.motor_asyncio import AsyncIOMotorClientSession, AsyncIOMotorDatabase
from pymongo import IndexModel, InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from schemas.envelope import Id
from schemas.pipeline import DocumentState, PipelineDocument
from server.store.chunks import loose_writes
from server.store.clearing import drop_part
from server.store.guard import guard
from server.store.metadata_filters import facts_of
from server.store.transactions import transact

AT_ONCE = 5_000  # entries of metadata that one write stores, each in indexes
SLICE = 200
DUPLICATE = 11000
ORDER = ("created_at", "place", "_id")  # `place` is that among those that were first sent together
_SLIM = {"text": 0, "facts": 0, "digest": 0}
INDEXES: dict[str, list[IndexModel]] = {
    "pipeline_documents": [
        IndexModel([("pipeline_id", 1), ("id", 1)], unique=True),
        IndexModel([(name, 1) for name in ("pipeline_id", *ORDER)]),
        IndexModel([("pipeline_id", 1), ("state", 1), ("updated_at", 1)]),
        IndexModel([("pipeline_id", 1), ("facts.k", 1), ("facts.v", 1)]),
        IndexModel([("pipeline_id", 1), ("indexed", 1)]),
        IndexModel([("state", 1), ("pipeline_id", 1)]),
    ]
}


class PipelineDocumentStore:
    """Reads and writes documents; whoever reads has looked up their pipeline before."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._database = database
        self._documents = database.pipeline_documents
        self._pipelines = database.pipelines
        self._sweeps = database.chunk_sweeps

    # --- for clients ----------------------------------------------------------------------------------------

    async def put(self, documents: Sequence[PipelineDocument]) -> None:
        """Store documents in the place of those with their ids, to be indexed.

        One that is stored already as it is now given, and has not failed, stays as it is.
        """
        if not documents:
            return
        rewritten = True  # as long as nobody says otherwise
        try:
            rewritten = any([await self._upsert(part) for part in _parts(documents)])
        finally:
            if rewritten:
                await self._note_rewritten({document.pipeline_id for document in documents})

    async def insert(self, documents: Sequence[PipelineDocument]) -> list[str]:
        """Store new documents; return the ids that others have already, which stay as they are.

        A document that is there as it is now given is no other one.
        """
        there = [document for part in _parts(documents) for document in await self._insert(part)]
        return await self.differing(there)

    async def differing(self, documents: Sequence[PipelineDocument]) -> list[str]:
        """Return the ids under which a pipeline has other documents than these, which are of one pipeline."""
        digests = {document.id: _written(document)["digest"] for document in documents}
        if not documents:
            return []
        query = {"pipeline_id": documents[0].pipeline_id, "id": {"$in": list(digests)}}
        with guard():
            rows = await self._documents.find(query, projection={"id": 1, "digest": 1}).to_list(None)
        return [row["id"] for row in rows if row["digest"] != digests[row["id"]]]

    async def get(self, pipeline_id: Id, document_id: str) -> PipelineDocument | None:
        """Return a document by the id that clients give it, None when there is none."""
        with guard():
            row = await self._documents.find_one({"pipeline_id": pipeline_id, "id": document_id})
        return _read(row) if row else None

    async def listed(
        self, pipeline_id: Id, *, skip: int, limit: int, most_bytes: int
    ) -> list[PipelineDocument]:
        """Return some documents, oldest first; fewer than asked for when together they are too large."""
        found: list[PipelineDocument] = []
        held = 0
        with guard():
            cursor = self._documents.find({"pipeline_id": pipeline_id}, projection={"facts": 0})
            async for row in cursor.sort([(name, 1) for name in ORDER]).skip(skip).limit(limit):
                held += row["size"]
                if found and held > most_bytes:
                    break
                found.append(_read(row))
        return found

    async def count(self, pipeline_id: Id) -> int:
        """Return how many documents a pipeline has."""
        with guard():
            return await self._documents.count_documents({"pipeline_id": pipeline_id})

    async def known(self, pipeline_id: Id, ids: Sequence[str]) -> int:
        """Return how many of these ids documents of a pipeline have."""
        with guard():
            return await self._documents.count_documents({"pipeline_id": pipeline_id, "id": {"$in": ids}})

    async def states(self, pipeline_id: Id) -> Counter[DocumentState]:
        """Return how many documents of a pipeline are in each state."""
        stages: list[dict[str, Any]] = [
            {"$match": {"pipeline_id": pipeline_id}},
            {"$group": {"_id": "$state", "n": {"$sum": 1}}},
        ]
        with guard():
            rows = await self._documents.aggregate(stages).to_list(None)
        return Counter({row["_id"]: int(row["n"]) for row in rows})

    async def failed(self, pipeline_id: Id, *, limit: int) -> list[PipelineDocument]:
        """Return some of the documents that could not be indexed, without their texts."""
        return await self._slim({"pipeline_id": pipeline_id, "state": "failed"}, limit=limit)

    async def delete(self, pipeline_id: Id, document_id: str) -> PipelineDocument | None:
        """Remove a document from what is searched, and return it; None when there is none."""

        async def remove(session: AsyncIOMotorClientSession) -> PipelineDocument | None:
            query = {"pipeline_id": pipeline_id, "id": document_id}
            row = await self._documents.find_one_and_delete(query, projection=_SLIM, session=session)
            if not row:
                return None
            await self._sweeps.bulk_write(loose_writes([row["_id"]]), session=session)
            there = {"_id": pipeline_id, "name": {"$exists": True}}
            await self._pipelines.update_one(there, {"$inc": {"changes": 1}}, session=session)
            return _read(row)

        return await transact(self._database, remove)

    # --- for searching --------------------------------------------------------------------------------------

    async def matching(self, pipeline_id: Id, query: dict[str, Any]) -> set[Id]:
        """Return the keys of the documents that can be found and that a query on `facts` holds for."""
        both = {"$and": [{"pipeline_id": pipeline_id, "indexed": {"$gt": 0}}, query]}
        with guard():
            rows = await self._documents.find(both, projection={"_id": 1}).to_list(None)
        return {row["_id"] for row in rows}

    async def many(self, keys: Iterable[Id], *, texts: bool = False) -> dict[Id, PipelineDocument]:
        """Return documents by their keys, without their texts unless these are wanted."""
        shown = {"facts": 0} if texts else _SLIM
        with guard():
            rows = await self._documents.find({"_id": {"$in": list(keys)}}, projection=shown).to_list(None)
        return {row["_id"]: _read(row) for row in rows}

    async def findable(self, pipeline_id: Id, *, limit: int) -> list[PipelineDocument]:
        """Return documents that can be found, without their texts, oldest first."""
        return await self._slim({"pipeline_id": pipeline_id, "indexed": {"$gt": 0}}, limit=limit)

    # --- what deleted pipelines leave -----------------------------------------------------------------------

    async def drop_some(self, pipeline_id: Id) -> list[Id]:
        """Remove some documents of a deleted pipeline and return their keys, none when none is left."""
        return await drop_part(self._documents, {"pipeline_id": pipeline_id})

    # --- parts ----------------------------------------------------------------------------------------------

    async def _upsert(self, part: Sequence[tuple[int, PipelineDocument]]) -> bool:
        """Store documents with their places; tell whether some were there and are now others."""
        with guard():
            writes = [_upsert(document, place) for place, document in part]
            return (await self._documents.bulk_write(writes, ordered=False)).modified_count > 0

    async def _insert(self, part: Sequence[tuple[int, PipelineDocument]]) -> list[PipelineDocument]:
        """Store new documents with their places; return those whose ids others have already."""
        rows = [{"_id": d.key, **_written(d), **_placed(d, n), "revision": 1} for n, d in part]
        with guard():
            try:
                await self._documents.bulk_write([InsertOne(row) for row in rows], ordered=False)
            except BulkWriteError as error:
                failed = (error.details or {}).get("writeErrors", [])
                if any(one.get("code") != DUPLICATE for one in failed):
                    raise
                return [part[one["index"]][1] for one in failed]
        return []

    async def _note_rewritten(self, pipeline_ids: Collection[Id]) -> None:
        """Have processes read anew what documents say of themselves."""
        there = {"_id": {"$in": list(pipeline_ids)}, "name": {"$exists": True}}
        with guard():
            await self._pipelines.update_many(there, {"$inc": {"rewrites": 1}})

    async def _slim(self, query: dict[str, Any], *, limit: int) -> list[PipelineDocument]:
        with guard():
            found = self._documents.find(query, projection=_SLIM).sort([("updated_at", 1), ("_id", 1)])
            # In slices: reading thousands at once would hold up everybody else.
            return [_read(row) async for row in found.limit(limit).batch_size(SLICE)]


def _parts(documents: Iterable[PipelineDocument]) -> Iterator[list[tuple[int, PipelineDocument]]]:
    """Yield documents with their places, as many at once as the database stores in a moment."""
    part: list[tuple[int, PipelineDocument]] = []
    entries = 0
    for placed in enumerate(documents):
        part.append(placed)
        entries += 1 + len(placed[1].metadata)
        if entries >= AT_ONCE:
            yield part
            part, entries = [], 0
    if part:
        yield part


def _written(document: PipelineDocument) -> dict[str, Any]:
    """Return what a client writes of a document, with what it is recognised and found by."""
    metadata = orjson.dumps(document.metadata)
    kept = {
        "text": document.text,
        "metadata": metadata,
        "excluded_embed_metadata_keys": document.excluded_embed_metadata_keys,
        "excluded_llm_metadata_keys": document.excluded_llm_metadata_keys,
        "file": document.file,
    }
    digest = hashlib.sha256(orjson.dumps({**kept, "metadata": metadata.decode()})).digest()
    return {
        **kept,
        "digest": digest,
        "facts": facts_of(document.metadata),
        "size": len(document.text.encode()) + len(metadata),
        "state": "queued",
        "updated_at": document.updated_at,
    }


def _placed(document: PipelineDocument, place: int) -> dict[str, Any]:
    """Return what a document keeps from its first writing on."""
    return {
        "id": document.id,
        "pipeline_id": document.pipeline_id,
        "org": document.org,
        "created_at": document.created_at,
        "place": place,
        "indexed": 0,
        "chunks": 0,
    }


def _upsert(document: PipelineDocument, place: int) -> UpdateOne:
    """Return the write that makes a document, or replaces it under a new revision unless it is the same.

    `$mergeObjects` and `$literal` let the database read no meaning into texts that begin with a dollar sign.
    """
    fields = _written(document)
    same = {"$and": [{"$eq": ["$digest", fields["digest"]]}, {"$ne": ["$state", "failed"]}]}
    first = {"_id": document.key, "revision": 0, **_placed(document, place)}
    revision = {"revision": {"$add": [{"$ifNull": ["$revision", 0]}, 1]}, "error": None}
    replaced = {"$mergeObjects": [{"$literal": first}, "$$ROOT", {"$literal": fields}, revision]}
    return UpdateOne(
        {"pipeline_id": document.pipeline_id, "id": document.id},
        [{"$replaceWith": {"$cond": [same, "$$ROOT", replaced]}}],
        upsert=True,
    )


def _read(row: dict[str, Any]) -> PipelineDocument:
    document = {**row, "key": row["_id"], "metadata": orjson.loads(row["metadata"])}
    return PipelineDocument.model_validate(document)
