"""Batch jobs: the ledger of their runs, and what belongs to a job and is written once (core §13)."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError
from pymongo.write_concern import WriteConcern

from schemas.batch import JobState
from schemas.batch_job import BatchJob
from schemas.envelope import Id
from server.store.aggregates import AggregateStore
from server.store.guard import guard
from server.store.pages import Page

PIECE_BYTES = 8 * 1024 * 1024
LOOK = 500  # jobs that one look returns
LOOSE_SECONDS = 3600
_SLIM = {"summary": 0, "keys": 0, "outbox": 0, "outbox_at": 0}
Documents = AsyncIOMotorDatabase[dict[str, Any]]
INDEXES: dict[str, list[IndexModel]] = {
    "jobs": [
        IndexModel([("outbox_at", 1)], partialFilterExpression={"outbox_at": {"$exists": True}}),
        IndexModel([("org", 1), ("created_at", -1), ("_id", -1)]),
        IndexModel([("org", 1), ("state", 1), ("created_at", -1), ("_id", -1)]),
        IndexModel([("owner.id", 1)]),
        IndexModel([("state", 1)]),
    ],
    "job_requests": [IndexModel([("loose", 1)], sparse=True)],
    "job_results": [IndexModel([("_id.j", 1), ("run", 1)], unique=True)],
}


class JobStore(AggregateStore[BatchJob]):
    """Jobs; whoever changes one names the fence that it saw. Requests and translations lie beside them."""

    def __init__(self, database: Documents) -> None:
        super().__init__(database, "jobs", BatchJob)
        self._lagging = self._documents.with_options(write_concern=WriteConcern(w=1))
        self._requests = database.job_requests
        self._translations = database.job_translations
        self._seals = database.job_seals

    async def org(self, job_id: Id) -> str | None:
        """Return a job's organisation, None when there is no such job."""
        with guard():
            row = await self._documents.find_one({"_id": job_id}, projection={"org": 1})
        return str(row["org"]) if row else None

    async def slim(self, job_id: Id) -> BatchJob | None:
        """Return a job without its summary and keys, None when there is none."""
        with guard():
            row = await self._documents.find_one({"_id": job_id}, projection=_SLIM)
        return self._read(row) if row else None

    async def listed(
        self, org: str, *, state: JobState | None, limit: int, cursor: str | None
    ) -> Page[BatchJob]:
        """Return an organisation's jobs without summaries and keys, newest first."""
        query = {"org": org} if state is None else {"org": org, "state": state}
        page = await self.page(query, limit=limit, cursor=cursor, projection=_SLIM)
        return Page([self._read(row) for row in page.items], page.next_cursor)

    async def count(self, job_id: Id, *, fence: int, figures: dict[str, int]) -> tuple[bool, bool]:
        """Note how far a job is; return whether the fence still holds, and whether it is to be cancelled.

        It is not journaled, and may lag behind the results, which are the truth.
        """
        mine = {"_id": job_id, "state": "running", "fence": fence}
        with guard():
            row = await self._lagging.find_one_and_update(mine, {"$set": figures}, projection={"cancel": 1})
        return row is not None, bool(row and row.get("cancel"))

    async def fences(self, job_ids: Iterable[Id]) -> dict[Id, tuple[int, bool]]:
        """Return the fence of each running job, and whether it is to be cancelled."""
        query = {"_id": {"$in": list(job_ids)}, "state": "running"}
        with guard():
            rows = await self._documents.find(query, projection={"fence": 1, "cancel": 1}).to_list(None)
        return {row["_id"]: (row["fence"], bool(row.get("cancel"))) for row in rows}

    async def queued(self, *, seal: str | None, sealed: bool = False) -> list[Id]:
        """Return jobs that wait, without those sealed by others; with `sealed` only those with keys."""
        return await self._ids({"state": "queued", **({"sealed_by": seal} if sealed else _openable(seal))})

    async def orphaned(self, living: Iterable[str], *, besides: Iterable[Id], seal: str | None) -> list[Id]:
        """Return running jobs, besides some, whose process is none of these."""
        left = {"state": "running", "process": {"$nin": list(living)}, "_id": {"$nin": list(besides)}}
        return await self._ids({**left, **_openable(seal)})

    async def show_seal(self, seal: str) -> None:
        """Note that a process has the secret of a seal now."""
        with guard():
            await self._seals.update_one({"_id": seal}, {"$currentDate": {"shown": True}}, upsert=True)

    async def sealed_by_nobody(self, living: Iterable[str], *, mine: str | None, seconds: int) -> list[Id]:
        """Return jobs so old that none of these processes does, whose seal was not shown for so long."""
        since = {"$subtract": ["$$NOW", seconds * 1000]}
        with guard():
            shown = await self._seals.find({"$expr": {"$gt": ["$shown", since]}}).to_list(None)
        known = [None, mine, *(row["_id"] for row in shown)]
        free = [{"state": "queued"}, {"state": "running", "process": {"$nin": list(living)}}]
        old = {"$expr": {"$lt": ["$created_at", since]}}
        return await self._ids({"$or": free, "sealed_by": {"$nin": known}, **old})

    async def _ids(self, query: dict[str, Any]) -> list[Id]:
        with guard():
            rows = await self._documents.find(query, projection={"_id": 1}).limit(LOOK).to_list(LOOK)
        return [row["_id"] for row in rows]

    # --- requests -------------------------------------------------------------------------------------------

    async def save_request(self, job_id: Id, packed: bytes, *, digest: str | None = None) -> None:
        """Store a job's request, before the job: until `keep_request` it counts as loose.

        Requests that want to be the same job lie beside each other by their digests.
        """
        pieces = [packed[at : at + PIECE_BYTES] for at in range(0, len(packed), PIECE_BYTES)] or [b""]
        with guard():
            for n, piece in enumerate(pieces):
                key = {**_request(job_id, digest), "n": n}
                fresh = {"$set": {"data": piece}, "$currentDate": {"loose": True}}
                await self._requests.update_one({"_id": key}, fresh, upsert=True)

    async def keep_request(self, job_id: Id, *, digest: str | None = None) -> None:
        """Note that a request's job is stored."""
        with guard():
            await self._requests.update_many(_pieces(job_id, digest), {"$unset": {"loose": 1}})

    async def drop_request(self, job_id: Id, *, digest: str | None = None) -> None:
        """Remove a request that has not become a job."""
        with guard():
            await self._requests.delete_many(_pieces(job_id, digest))

    async def request(self, job_id: Id, *, digest: str | None = None) -> bytes | None:
        """Return a job's request as it was packed, None when there is none."""
        with guard():
            rows = await self._requests.find(_pieces(job_id, digest)).sort("_id", 1).to_list(None)
        return b"".join(bytes(row["data"]) for row in rows) if rows else None

    async def drop_loose(self) -> None:
        """Remove requests of an hour ago whose job was never stored."""
        old = {"$lt": ["$loose", {"$subtract": ["$$NOW", LOOSE_SECONDS * 1000]}]}
        with guard():
            found = self._requests.find({"loose": {"$exists": True}, "$expr": old}, projection={"_id": 1})
            rows = await found.limit(LOOK).to_list(LOOK)
            for job_id, digest in {(row["_id"]["j"], row["_id"].get("d")) for row in rows}:
                job = await self._documents.find_one({"_id": job_id}, projection={"digest": 1})
                if job is None or job.get("digest") != digest:
                    await self.drop_request(job_id, digest=digest)
                else:
                    await self.keep_request(job_id, digest=digest)

    # --- translations ---------------------------------------------------------------------------------------

    async def translation(self, job_id: Id, key: str) -> str | None:
        """Return a translation that is stored, None when there is none."""
        with guard():
            row = await self._translations.find_one({"_id": {"j": job_id, "k": key}})
        return str(row["text"]) if row else None

    async def save_translation(self, job_id: Id, key: str, text: str) -> str:
        """Store a translation unless somebody was first; return the one in force."""
        with guard(), suppress(DuplicateKeyError):
            await self._translations.insert_one({"_id": {"j": job_id, "k": key}, "text": text})
            return text
        return await self.translation(job_id, key) or text


def _openable(seal: str | None) -> dict[str, Any]:
    """Return what finds jobs without keys, those that can be opened, and those that are to be cancelled."""
    return {"$or": [{"sealed_by": None}, {"sealed_by": seal or ""}, {"cancel": True}]}


def _request(job_id: Id, digest: str | None) -> dict[str, Any]:
    return {"j": job_id} if digest is None else {"j": job_id, "d": digest}


def _pieces(job_id: Id, digest: str | None) -> dict[str, Any]:
    key = _request(job_id, digest)
    return {"_id": {"$gte": {**key, "n": 0}, "$lt": {**key, "n": 2**31}}}
