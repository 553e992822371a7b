"""Evaluators: the runs of results; a conversation and its judgement are kept as JSON texts."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError
from pymongo.write_concern import WriteConcern

from schemas.evaluator_run import JUDGED, EvaluatorRun, Judgement, RunStatus, Talked
from schemas.stored import Pending
from server.store.aggregates import AggregateStore, to_document
from server.store.guard import guard

_DUPLICATE_KEY = 11000
_BATCH = 1000
_BRIEF_AT_ONCE = 100
_SIZES = {"result": 1, "_id": 1, "size": 1}
_BRIEF = {"talked": 0, "judgement": 0, "outbox": 0, "outbox_at": 0}
Documents = AsyncIOMotorDatabase[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What `count` runs of a scenario have come to alike: `ended` whether they have."""

    count: int

    scenario: int
    ended: bool
    status: RunStatus
    success: bool | None
    simulator_error: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run that waits ends: the fields to set, and what tells of it."""

    run: int
    fence: int
    fields: dict[str, Any]
    event: Pending


class EvaluatorRunStore(AggregateStore[EvaluatorRun]):
    """Runs; every write names the fence of their result."""

    def __init__(self, database: Documents) -> None:
        super().__init__(database, "evaluator_runs", EvaluatorRun)
        self._lagging = self._documents.with_options(write_concern=WriteConcern(w=1))

    async def make(self, runs: Sequence[EvaluatorRun]) -> None:
        """Store runs that are not there yet."""
        for at in range(0, len(runs), _BATCH):
            with guard():
                try:
                    rows = [to_document(run) for run in runs[at : at + _BATCH]]
                    await self._documents.insert_many(rows, ordered=False)
                except BulkWriteError as error:
                    details = error.details or {}
                    codes = {e.get("code") for e in details.get("writeErrors") or []}
                    if codes != {_DUPLICATE_KEY} or details.get("writeConcernErrors"):
                        raise

    async def count(self, result_id: int) -> int:
        """Return how many runs of a result are stored."""
        with guard():
            return await self._documents.count_documents({"result": result_id})

    async def unfinished(self, result_id: int) -> list[EvaluatorRun]:
        """Return the runs of a result that have not ended, without what was said."""
        query = {"result": result_id, "state": {"$ne": "ended"}}
        with guard():
            rows = await self._documents.find(query, projection=_BRIEF).sort("_id", 1).to_list(None)
        return [self._read(row) for row in rows]

    async def facts(self, result_ids: Iterable[int]) -> dict[int, list[RunFacts]]:
        """Return what the runs of some results come to; answered by an index alone."""
        found: dict[int, list[RunFacts]] = {result_id: [] for result_id in result_ids}
        alike = {name: f"${name}" for name in ("result", "state", "status", "success", "simulator_error")}
        steps: list[dict[str, Any]] = [
            {"$match": {"result": {"$in": list(found)}}},
            {"$group": {"_id": {**alike, "scenario": "$plan.scenario"}, "count": {"$sum": 1}}},
            {"$sort": {"_id": 1}},
        ]
        with guard():
            async for row in self._documents.aggregate(steps):
                key = row["_id"]
                facts = RunFacts(
                    count=int(row["count"]),
                    scenario=key["scenario"],
                    ended=key["state"] == "ended",
                    status=key["status"],
                    success=key.get("success"),
                    simulator_error=bool(key.get("simulator_error")),
                )
                found[key["result"]].append(facts)
        return found

    async def listed(
        self, query: dict[str, Any], *, skip: int, limit: int, whole: bool = True
    ) -> tuple[int, list[EvaluatorRun]]:
        """Return how many runs there are, and some of them, newest first.

        Without `whole` what was said in them is left out.
        """
        with guard():
            count = await self._documents.count_documents(query)
            found = self._documents.find(query, projection=None if whole else _BRIEF)
            rows = await found.sort("_id", -1).skip(skip).limit(limit).to_list(limit)
        return count, await self._all(rows)

    async def of_result(self, result_id: int, *, whole: bool) -> list[EvaluatorRun]:
        """Return the runs of a result in order; without `whole` what was said in them is left out."""
        return await self.following(result_id, after=0, limit=0, whole=whole)

    async def following(
        self, result_id: int, *, after: int, limit: int, whole: bool = True
    ) -> list[EvaluatorRun]:
        """Return so many runs of a result whose ids are higher than one, in order, or all with limit 0.

        Without `whole` what was said in them is left out.
        """
        query = {"result": result_id, "_id": {"$gt": after}}
        with guard():
            found = self._documents.find(query, projection=None if whole else _BRIEF)
            rows = await found.sort("_id", 1).limit(limit).to_list(None)
        return await self._all(rows)

    async def some(self, run_ids: Sequence[int]) -> dict[int, EvaluatorRun]:
        """Return runs by their ids, with what was said; those that are gone are left out."""
        with guard():
            rows = await self._documents.find({"_id": {"$in": list(run_ids)}}).to_list(None)
        return {run.id: run for run in await self._all(rows)}

    async def size(self, result_id: int) -> int:
        """Return how many bytes was said and thought in the runs of a result; answered by an index alone."""
        steps: list[dict[str, Any]] = [
            {"$match": {"result": result_id}},
            {"$group": {"_id": None, "size": {"$sum": "$size"}}},
        ]
        with guard():
            rows = await self._documents.aggregate(steps, hint=_SIZES).to_list(1)
        return int(rows[0]["size"]) if rows else 0

    async def connected(self, run_ids: Iterable[int], *, fence: int) -> None:
        """Note that agents have answered; it is not journaled, because it may lag."""
        mine = {"_id": {"$in": list(run_ids)}, "state": "talking", "status": "running", "fence": fence}
        with guard():
            await self._lagging.update_many(mine, {"$set": {"status": "in_progress"}})

    async def to_cancel(self, result_ids: Iterable[int]) -> list[int]:
        """Return runs of some results that are to be cancelled and go on."""
        query = {"result": {"$in": list(result_ids)}, "cancel": True, "state": {"$in": ["queued", "talking"]}}
        with guard():
            rows = await self._documents.find(query, projection={"_id": 1}).to_list(None)
        return [int(row["_id"]) for row in rows]

    async def judge_again(self, result_id: int, *, ends: int) -> None:
        """Let the runs that have talked be judged anew, after so many ends; harmless when done before."""
        talked = {"result": result_id, "state": "ended", "status": {"$in": sorted(JUDGED)}}
        with guard():
            await self._documents.update_many(
                {**talked, "judged": {"$lte": ends}}, {"$set": {"state": "judging"}}
            )

    async def known(self, result_id: int, ids: Sequence[int]) -> int:
        """Return how many of these are runs of a result."""
        with guard():
            return await self._documents.count_documents({"_id": {"$in": list(ids)}, "result": result_id})

    async def end_all(self, ends: Sequence[Ending]) -> list[tuple[int, list[Pending]]]:
        """End many runs that wait; return the events of those that did, by run."""
        found: list[tuple[int, list[Pending]]] = []
        for at in range(0, len(ends), _BATCH):
            some = ends[at : at + _BATCH]
            with guard():
                await self._documents.bulk_write([_end_waiting(end) for end in some], ordered=False)
                ids = {"_id": {"$in": [end.run for end in some]}, "outbox": {"$exists": True}}
                rows = await self._documents.find(ids, projection={"outbox": 1}).to_list(None)
            found += [(row["_id"], _events(row)) for row in rows]
        return found

    async def untold(self, result_id: int) -> list[tuple[int, list[Pending]]]:
        """Return the events of a result's runs that are not known to be in its room, by run."""
        with guard():
            found = self._documents.find(
                {"result": result_id, "outbox_at": {"$exists": True}}, projection={"outbox": 1}
            )
            rows = await found.sort("_id", 1).to_list(None)
        return [(row["_id"], _events(row)) for row in rows]

    async def delete(self, result_id: int, *, ids: Sequence[int] | None = None) -> int:
        """Remove runs of a result, or all of them; return how many."""
        query = {"result": result_id, **({} if ids is None else {"_id": {"$in": list(ids)}})}
        with guard():
            return (await self._documents.delete_many(query)).deleted_count

    async def _all(self, rows: Iterable[dict[str, Any]]) -> list[EvaluatorRun]:
        """Return what rows say; others get their turn in between, because a conversation may have 2 MB."""
        runs = []
        for n, row in enumerate(rows):
            if n % _BRIEF_AT_ONCE == 0 or "talked" in row:
                await asyncio.sleep(0)
            runs.append(self._read(row))
        return runs

    async def delete_waiting(self, result_id: int) -> None:
        """Remove the runs of a result that have not begun."""
        with guard():
            await self._documents.delete_many({"result": result_id, "state": "queued"})

    def _read(self, document: dict[str, Any]) -> EvaluatorRun:
        talked, judgement = document.get("talked"), document.get("judgement")
        rest = {k: v for k, v in document.items() if k not in ("talked", "judgement")}
        run = super()._read(rest)
        run.talked = Talked.model_validate_json(talked) if talked else None
        run.judgement = Judgement.model_validate_json(judgement) if judgement else None
        return run


def _events(row: dict[str, Any]) -> list[Pending]:
    return [Pending.model_validate(event) for event in row.get("outbox", [])]


def _end_waiting(end: Ending) -> UpdateOne:
    waiting = {"_id": end.run, "state": {"$in": ["queued", "talking"]}, "fence": {"$lte": end.fence}}
    update = {
        "$set": end.fields,
        "$push": {"outbox": end.event.model_dump()},
        "$currentDate": {"outbox_at": True},
    }
    return UpdateOne(waiting, update)
