"""Results of batch jobs: write-once documents named by job and index, in order of storing."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, takewhile
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import BulkWriteError, DuplicateKeyError
from pymongo.read_concern import ReadConcern

from schemas.batch import JobStatus
from schemas.envelope import Id
from server.store.guard import guard

_DUPLICATE_KEY = 11000
PAGE_BYTES = 1024 * 1024
_END = -1  # stands for the run in the document that ends a job's results


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A result as it is stored: `j` is its JSON; the last row of a job has an `end` instead."""

    index: int
    run: int
    j: bytes
    end: JobStatus | None = None


class ResultStore:
    """Appends and reads results; what was read is on a majority and stays."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._results = database.job_results
        self._seen = database.get_collection("job_results", read_concern=ReadConcern("majority"))

    async def append(self, job_id: Id, rows: Sequence[ResultRow]) -> int | None:
        """Insert rows in order, journaled; return the place of the first whose index or run is taken.

        What comes after that one is not stored. Unavailable: outcome unknown.
        """
        with guard():
            try:
                await self._results.insert_many([_document(job_id, row) for row in rows], ordered=True)
            except BulkWriteError as error:
                details = error.details or {}
                failed = details.get("writeErrors") or []
                if not failed or failed[0].get("code") != _DUPLICATE_KEY or details.get("writeConcernErrors"):
                    raise  # also when what went in before the duplicate is on no majority yet
                return int(failed[0]["index"])
        return None

    async def end(self, job_id: Id, index: int, status: JobStatus) -> bool:
        """Let nothing be stored from an index on, journaled; False when the index is taken."""
        with guard():
            try:
                await self._results.insert_one({"_id": {"j": job_id, "i": index}, "run": _END, "end": status})
            except DuplicateKeyError:
                return False
        return True

    async def end_all(self, job_id: Id, status: JobStatus) -> int:
        """Let nothing more be stored, and return how many results are; harmless when done before."""
        while True:
            with guard():
                last = await self._results.find_one(_all_of(job_id), sort=[("_id", -1)])
            after = int(last["_id"]["i"]) + 1 if last else 0
            if last is not None and "end" in last:
                return after - 1
            if await self.end(job_id, after, status):
                return after

    async def page(self, job_id: Id, *, from_: int, limit: int) -> list[ResultRow]:
        """Return rows from an index on, in order; the last one of all may be that which ends them.

        A page ends with the row that brings it to PAGE_BYTES; `is_cut` tells whether more may follow.
        """
        wanted = _all_of(job_id, from_=from_)
        size = {"$strLenBytes": {"$ifNull": ["$r", ""]}}
        steps: list[dict[str, Any]] = [
            {"$match": wanted},
            {"$sort": {"_id": 1}},
            {"$limit": limit},
            {"$project": {"size": size}},
        ]
        with guard():
            sizes = [int(row["size"]) async for row in self._seen.aggregate(steps)]
            if not sizes:
                return []
            count = _fitting(sizes)
            rows = await self._seen.find(wanted).sort("_id", 1).limit(count).to_list(count)
        return [_row(row) for row in rows]


def is_cut(results: Sequence[bytes], *, limit: int) -> bool:
    """Tell whether more may follow a page of results that was asked for with a limit."""
    return len(results) >= limit or sum(map(len, results)) >= PAGE_BYTES


def _fitting(sizes: list[int]) -> int:
    """Return how many rows make a page, at least one."""
    before = accumulate(sizes, initial=0)
    return sum(1 for _ in takewhile(lambda size: size < PAGE_BYTES, islice(before, len(sizes))))


def _all_of(job_id: Id, *, from_: int = 0) -> dict[str, Any]:
    return {"_id": {"$gte": {"j": job_id, "i": from_}, "$lt": {"j": job_id, "i": 2**31}}}


def _document(job_id: Id, row: ResultRow) -> dict[str, Any]:
    return {"_id": {"j": job_id, "i": row.index}, "run": row.run, "r": row.j.decode()}


def _row(document: dict[str, Any]) -> ResultRow:
    return ResultRow(
        index=int(document["_id"]["i"]),
        run=int(document["run"]),
        j=document.get("r", "").encode(),
        end=document.get("end"),
    )
