"""The ledger of indexing: who is at a pipeline, which documents wait, and what has become of them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from motor.motor_asyncio import AsyncIOMotorClientSession, AsyncIOMotorDatabase
from pymongo import IndexModel, ReturnDocument, UpdateMany, UpdateOne
from pymongo.errors import DuplicateKeyError

from schemas.envelope import Id, utc_now
from server.store.chunks import loose_writes
from server.store.guard import guard
from server.store.transactions import transact

LOOK = 500  # pipelines that one look returns
SLICE = 1_000  # documents that are changed together
BATCH_DOCUMENTS = 256
BATCH_BYTES = 1_000_000
FILE_BYTES = 250_000  # what a file counts that was not read yet: its text may be of 4 MiB
Documents = AsyncIOMotorDatabase[dict[str, Any]]
INDEXES: dict[str, list[IndexModel]] = {
    "indexing": [IndexModel([("process", 1)], sparse=True), IndexModel([("embedder", 1)])]
}
_FIELDS = ("id", "revision", "text", "metadata", "excluded_embed_metadata_keys", "file")


@dataclass(frozen=True, slots=True)
class IndexClaim:
    """A pipeline that a process indexes; the rest says how the documents were cut and embedded last."""

    pipeline_id: Id
    process: str
    fence: int
    transform_version: int | None = None
    embedder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A document that is to be indexed; `file` is the upload that holds its text until it was read."""

    key: Id
    id: str
    revision: int
    text: str
    metadata: dict[str, Any]
    excluded: frozenset[str]
    file: Id | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """What has become of a document's revision: so many chunks, or why there are none.

    `text` is what was read from its file.
    """

    key: Id
    revision: int
    chunks: int = 0
    text: str | None = None
    error: str | None = None


class Lost(Exception):
    """Another process is at this pipeline, or it is gone."""


class IndexingStore:
    """Claims pipelines and keeps what their indexing came to; whoever changes something names its fence."""

    def __init__(self, database: Documents) -> None:
        self._database = database
        self._indexing = database.indexing
        self._documents = database.pipeline_documents
        self._pipelines = database.pipelines
        self._sweeps = database.chunk_sweeps

    # --- claims ---------------------------------------------------------------------------------------------

    async def claim(self, pipeline_id: Id, process: str, *, living: Iterable[str]) -> IndexClaim | None:
        """Take a pipeline that nobody, a dead process or this one is at; None when it is another's."""
        others = [name for name in living if name != process]
        free = {"_id": pipeline_id, "process": {"$nin": others}}
        change = {"$set": {"process": process}, "$inc": {"fence": 1}}
        with guard():
            try:
                row = await self._indexing.find_one_and_update(
                    free, change, upsert=True, return_document=ReturnDocument.AFTER
                )
            except DuplicateKeyError:
                return None
        return IndexClaim(
            pipeline_id, process, row["fence"], row.get("transform_version"), row.get("embedder")
        )

    async def release(self, claim: IndexClaim) -> None:
        """Let others have a pipeline."""
        with guard():
            await self._indexing.update_one(_mine(claim), {"$unset": {"process": 1}})

    async def orphaned(self, living: Iterable[str], *, besides: Iterable[Id]) -> list[Id]:
        """Return pipelines, besides some, whose process is none of these."""
        left = {"process": {"$exists": True, "$nin": list(living)}, "_id": {"$nin": list(besides)}}
        return await self._ids(left)

    async def embedded_by_others(self, embedder: str) -> list[Id]:
        """Return pipelines whose documents were embedded by another model last."""
        return await self._ids({"embedder": {"$exists": True, "$ne": embedder}})

    async def recut(self) -> list[Id]:
        """Return pipelines that are to be cut in another way since they were indexed."""
        with guard():
            found = self._pipelines.find({"recut": True}, projection={"_id": 1})
            rows = await found.limit(LOOK).to_list(LOOK)
        return [row["_id"] for row in rows]

    async def forget(self, claim: IndexClaim) -> None:
        """Let others have a pipeline, and remove its ledger when there is no such pipeline any more."""
        await self.release(claim)
        with guard():
            if await self._pipelines.find_one(_existing(claim), projection={"_id": 1}) is None:
                await self._indexing.delete_one({"_id": claim.pipeline_id, "process": {"$exists": False}})

    async def drop(self, pipeline_id: Id) -> None:
        """Remove the ledger of a pipeline that is gone; who is at it learns that at its next step."""
        with guard():
            await self._indexing.delete_one({"_id": pipeline_id})

    async def note(self, claim: IndexClaim, *, transform_version: int, embedder: str) -> None:
        """Note how documents are cut and embedded from now on; raises Lost."""
        made = {"transform_version": transform_version, "embedder": embedder}
        cut_so = {"_id": claim.pipeline_id, "transform_version": transform_version}

        async def work(session: AsyncIOMotorClientSession) -> None:
            held = await self._indexing.update_one(_mine(claim), {"$set": made}, session=session)
            if not held.matched_count:
                raise Lost
            await self._pipelines.update_one(cut_so, {"$unset": {"recut": 1}}, session=session)

        await transact(self._database, work)

    # --- documents ------------------------------------------------------------------------------------------

    async def queued(self) -> list[Id]:
        """Return pipelines with documents that wait."""
        stages: list[dict[str, Any]] = [
            {"$match": {"state": "queued"}},
            {"$group": {"_id": "$pipeline_id"}},
            {"$limit": LOOK},
        ]
        with guard():
            rows = await self._documents.aggregate(stages).to_list(LOOK)
        return [row["_id"] for row in rows]

    async def retry(self, pipeline_id: Id) -> int:
        """Have the documents that failed indexed anew under a new revision; return how many."""
        failed = {"pipeline_id": pipeline_id, "state": "failed"}
        with guard():
            done = await self._documents.update_many(failed, _again())
        return done.modified_count

    async def requeue(self, claim: IndexClaim) -> int:
        """Have all of its documents indexed anew under a new revision; return how many. Raises Lost."""
        return await self._change(claim, {"pipeline_id": claim.pipeline_id}, _again())

    async def waits(self, pipeline_id: Id) -> bool:
        """Tell whether a pipeline has a document that waits."""
        with guard():
            row = await self._documents.find_one(_queued(pipeline_id), projection={"_id": 1})
        return row is not None

    async def batch(self, pipeline_id: Id) -> list[Waiting]:
        """Return some documents that wait, the oldest first: one, or so many as have little text together."""
        waiting = _queued(pipeline_id)
        with guard():
            sizes = self._documents.find(waiting, projection={"size": 1, "file": 1})
            keys = _some(await sizes.sort("updated_at", 1).limit(BATCH_DOCUMENTS).to_list(None))
            found = self._documents.find(
                {**waiting, "_id": {"$in": keys}}, projection=dict.fromkeys(_FIELDS, 1)
            )
            rows = {row["_id"]: row for row in await found.hint([("_id", 1)]).to_list(None)}
        return [_waiting(rows[key]) for key in keys if key in rows]

    async def commit(self, claim: IndexClaim, results: Sequence[Indexed]) -> None:
        """Have documents be searched by their new chunks, and say of others why they are not.

        Documents that were written again meanwhile stay as they are. Raises Lost.
        """

        async def work(session: AsyncIOMotorClientSession) -> None:
            held = await self._indexing.update_one(
                _mine(claim), {"$currentDate": {"at": True}}, session=session
            )
            changed = 0
            for writes in (indexed, failed):
                if writes:
                    done = await self._documents.bulk_write(writes, ordered=False, session=session)
                    changed += done.matched_count if writes is indexed else 0
            await self._sweeps.bulk_write(loose, session=session)
            counted = await self._pipelines.update_one(
                _existing(claim), {"$inc": {"changes": 1 if changed else 0}}, session=session
            )
            if not (held.matched_count and counted.matched_count):
                raise Lost

        if results:
            indexed = _writes(claim, [one for one in results if one.error is None])
            failed = _writes(claim, [one for one in results if one.error is not None])
            loose = loose_writes(one.key for one in results)
            await transact(self._database, work)

    async def fail_all(self, claim: IndexClaim, error: str) -> None:
        """Say of all documents of a pipeline that wait why they are not indexed; raises Lost."""
        failed = {"state": "failed", "error": error, "updated_at": utc_now()}
        await self._change(claim, _queued(claim.pipeline_id), {"$set": failed})

    # --- parts ----------------------------------------------------------------------------------------------

    async def _change(self, claim: IndexClaim, query: dict[str, Any], change: dict[str, Any]) -> int:
        """Change documents, some at a time and only while the claim holds; return how many. Raises Lost."""
        count, last = 0, ""
        while True:
            following = {**query, "id": {"$gt": last}}
            with guard():
                rows = self._documents.find(following, projection={"id": 1}).sort("id", 1).limit(SLICE)
                ids = [row["id"] for row in await rows.to_list(SLICE)]
            if not ids:
                return count
            count += await self._change_some(claim, {**query, "id": {"$in": ids}}, change)
            last = ids[-1]

    async def _change_some(self, claim: IndexClaim, query: dict[str, Any], change: dict[str, Any]) -> int:
        async def work(session: AsyncIOMotorClientSession) -> int:
            held = await self._indexing.update_one(
                _mine(claim), {"$currentDate": {"at": True}}, session=session
            )
            if not held.matched_count:
                raise Lost
            done = await self._documents.update_many(query, change, session=session)
            return done.modified_count

        return await transact(self._database, work)

    async def _ids(self, query: dict[str, Any]) -> list[Id]:
        with guard():
            rows = await self._indexing.find(query, projection={"_id": 1}).limit(LOOK).to_list(LOOK)
        return [row["_id"] for row in rows]


def _mine(claim: IndexClaim) -> dict[str, Any]:
    return {"_id": claim.pipeline_id, "process": claim.process, "fence": claim.fence}


def _existing(claim: IndexClaim) -> dict[str, Any]:
    return {"_id": claim.pipeline_id, "name": {"$exists": True}}


def _again() -> dict[str, Any]:
    queued = {"state": "queued", "updated_at": utc_now()}
    return {"$set": queued, "$inc": {"revision": 1}, "$unset": {"error": 1}}


def _queued(pipeline_id: Id) -> dict[str, Any]:
    return {"pipeline_id": pipeline_id, "state": "queued"}


def _some(rows: Sequence[dict[str, Any]]) -> list[Id]:
    """Return the ids of the first document, and of those after it that have little text together."""
    keys: list[Id] = []
    size = 0
    for row in rows:
        size += row["size"] + (FILE_BYTES if row.get("file") else 0)
        if keys and size > BATCH_BYTES:
            break
        keys.append(row["_id"])
    return keys


def _writes(claim: IndexClaim, results: Iterable[Indexed]) -> list[UpdateMany | UpdateOne]:
    """Return what says of documents what they have come to: one write for all that have come to the same."""
    alike = defaultdict[tuple[int, int, str | None], list[Id]](list)
    others: list[UpdateMany | UpdateOne] = []
    for one in results:
        if one.text is None:
            alike[one.revision, one.chunks, one.error].append(one.key)
        else:
            others.append(UpdateOne(_which(claim, one.key, revision=one.revision), {"$set": _outcome(one)}))
    for (revision, chunks, error), keys in alike.items():
        outcome = _outcome(Indexed(key=keys[0], revision=revision, chunks=chunks, error=error))
        others.append(UpdateMany(_which(claim, {"$in": keys}, revision=revision), {"$set": outcome}))
    return others


def _which(claim: IndexClaim, key: Id | dict[str, Any], *, revision: int) -> dict[str, Any]:
    return {"_id": key, "revision": revision, "pipeline_id": claim.pipeline_id}


def _outcome(one: Indexed) -> dict[str, Any]:
    """Return what a document is to say; the file is let go of once its text is here."""
    if one.error is not None:
        return {"state": "failed", "error": one.error, "updated_at": utc_now()}
    size = len((one.text or "").encode())
    read = {} if one.text is None else {"text": one.text, "size": size, "file": None}
    done = {"state": "indexed", "indexed": one.revision, "chunks": one.chunks, "error": None}
    return {**done, **read, "updated_at": utc_now()}


def _waiting(row: dict[str, Any]) -> Waiting:
    return Waiting(
        key=row["_id"],
        id=row["id"],
        revision=row["revision"],
        text=row["text"],
        metadata=orjson.loads(row["metadata"]),
        excluded=frozenset(row["excluded_embed_metadata_keys"]),
        file=row.get("file"),
    )
