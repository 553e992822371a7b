"""Tests, their invocations and runs: the ledger of replays (core §13)."""

from collections.abc import Iterable, Sequence
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import IndexModel, ReturnDocument, UpdateOne

from schemas.envelope import Id
from schemas.stored import Owner, Pending
from schemas.test import Invocation, Recording, Run, RunState, Stopping, Test
from server.store.aggregates import AggregateStore, to_document
from server.store.guard import guard

CLAIM_MS = 60_000
BATCH = 1000
RECORDINGS_BATCH = 50
LOOK = 500  # runs or invocations that one look returns
_SLIM = {"result.messages": 0, "outbox": 0, "outbox_at": 0}
_UNCLAIMED = {"$lte": [{"$ifNull": ["$claimed_until", "$$NOW"]}, "$$NOW"]}
# A run that is to be let go again: the next fence shuts out whoever was at it.
GIVEN_BACK: dict[str, dict[str, object]] = {
    "$set": {"state": "pending", "stop": False},
    "$inc": {"fence": 1},
    "$unset": {"owner": 1, "replay_id": 1, "started_at": 1, "by": 1},
}
# Invocations that have something left to run.
UNFINISHED: dict[str, Any] = {
    "closed": False,
    "$expr": {"$or": ["$infinite_mode", {"$lt": ["$counted", "$total_runs"]}]},
}
Documents = AsyncIOMotorDatabase[dict[str, Any]]
_OUTBOX = IndexModel([("outbox_at", 1)], partialFilterExpression={"outbox_at": {"$exists": True}})
_LISTED = IndexModel([("org", 1), ("created_at", -1), ("_id", -1)])
INDEXES: dict[str, list[IndexModel]] = {
    "tests": [
        _OUTBOX,
        _LISTED,
        IndexModel([("status", 1)], partialFilterExpression={"status": "ending"}),
    ],
    "invocations": [
        _OUTBOX,
        _LISTED,
        IndexModel([("test_id", 1)]),
        IndexModel([("group", 1)], partialFilterExpression={"group": True}),
        IndexModel([("stopping.id", 1)], sparse=True),
    ],
    "recordings": [IndexModel([("test_id", 1), ("_id", 1)])],
    "runs": [
        _OUTBOX,
        IndexModel([("invocation_id", 1), ("state", 1), ("position", 1)]),
        IndexModel([("invocation_id", 1), ("cycle", 1), ("state", 1), ("counted", 1)]),
        IndexModel([("state", 1), ("counted", 1)]),
        IndexModel([("grading.grade_id", 1)], sparse=True),
        IndexModel([("claim", 1)], sparse=True),
    ],
}


class TestStore(AggregateStore[Test]):
    """Tests: one go of a benchmark each."""

    __test__ = False

    def __init__(self, database: Documents) -> None:
        super().__init__(database, "tests", Test)

    async def ending(self) -> list[Id]:
        """Return tests whose end is being carried out."""
        with guard():
            rows = await self._documents.find({"status": "ending"}, projection={"_id": 1}).to_list(LOOK)
        return [row["_id"] for row in rows]


class InvocationStore(AggregateStore[Invocation]):
    """Invocations: a test's runs against one agent."""

    def __init__(self, database: Documents) -> None:
        super().__init__(database, "invocations", Invocation)

    async def access(self, invocation_id: Id) -> tuple[Owner, str] | None:
        """Return an invocation's owner and organisation, None when there is no such invocation."""
        with guard():
            row = await self._documents.find_one({"_id": invocation_id}, projection={"owner": 1, "org": 1})
        return (Owner.model_validate(row["owner"]), row["org"]) if row else None

    async def of_test(self, invocation_ids: Sequence[Id]) -> list[Invocation]:
        """Return invocations by their ids, by position."""
        with guard():
            found = self._documents.find({"_id": {"$in": list(invocation_ids)}}).sort("position", 1)
            rows = await found.to_list(None)
        return [self._read(row) for row in rows]

    async def replace(self, invocation: Invocation, outbox: Sequence[Pending] = ()) -> list[Pending] | None:
        """Store an invocation that was read and changed; None when somebody else changed it since."""
        document = to_document(invocation)
        del document["_id"], document["rev"]
        update: dict[str, Any] = {"$set": document, "$inc": {"rev": 1}}
        if invocation.stopping is None:
            update["$unset"] = {"stopping": 1}
        return await self.change(invocation.id, when={"rev": invocation.rev}, update=update, outbox=outbox)

    async def unsettled(self) -> list[Id]:
        """Return invocations with a group, or with a stop that is being carried out."""
        query = {"$or": [{"group": True}, {"stopping.id": {"$exists": True}}]}
        with guard():
            rows = await self._documents.find(query, projection={"_id": 1}).limit(LOOK).to_list(LOOK)
        return [row["_id"] for row in rows]


class RunStore(AggregateStore[Run]):
    """Runs; whoever changes one names the fence that it saw."""

    def __init__(self, database: Documents) -> None:
        super().__init__(database, "runs", Run)

    async def make(self, runs: Sequence[Run]) -> None:
        """Store new runs; those that exist already are left as they are."""
        with guard():
            for start in range(0, len(runs), BATCH):
                await _insert(self._documents, [to_document(r) for r in runs[start : start + BATCH]])

    async def find(self, query: dict[str, Any], *, limit: int = LOOK) -> list[Run]:
        """Return runs without their messages, by position."""
        with guard():
            found = self._documents.find(query, projection=_SLIM).sort("position", 1).limit(limit)
            rows = await found.to_list(limit)
        return [self._slim(row) for row in rows]

    async def exists(self, query: dict[str, Any]) -> bool:
        """Tell whether any run matches."""
        with guard():
            return await self._documents.find_one(query, projection={"_id": 1}) is not None

    async def claim(self, invocation_id: Id, *, cycle: int, claim: str) -> Run | None:
        """Claim the next pending run for 60 s by the database's clock; None when none is unclaimed."""
        query = {"invocation_id": invocation_id, "cycle": cycle, "state": "pending", "$expr": _UNCLAIMED}
        until = {"$add": ["$$NOW", CLAIM_MS]}
        with guard():
            row = await self._documents.find_one_and_update(
                query,
                [{"$set": {"claim": claim, "claimed_until": until}}],
                sort=[("position", 1)],
                projection=_SLIM,
                return_document=ReturnDocument.AFTER,
            )
        return self._slim(row) if row else None

    async def unclaimed(
        self, invocation_id: Id, *, cycle: int, besides: Sequence[Id], limit: int
    ) -> list[Id]:
        """Return pending runs that nobody has claimed, by position."""
        query = {
            "invocation_id": invocation_id,
            "cycle": cycle,
            "state": "pending",
            "_id": {"$nin": list(besides)},
            "$expr": _UNCLAIMED,
        }
        with guard():
            found = self._documents.find(query, projection={"_id": 1}).sort("position", 1).limit(limit)
            return [row["_id"] for row in await found.to_list(limit)]

    async def wait_for_claims(self, cycles: Sequence[tuple[Id, int]]) -> float | None:
        """Return the seconds until the next claim of a pending run ends, None when no run is pending."""
        places = [{"invocation_id": i, "cycle": cycle} for i, cycle in cycles]
        query = {"$or": places, "state": "pending"}
        pipeline: list[dict[str, Any]] = [
            {"$match": query},
            {"$project": {"left": {"$subtract": [{"$ifNull": ["$claimed_until", "$$NOW"]}, "$$NOW"]}}},
            {"$sort": {"left": 1}},
            {"$limit": 1},
        ]
        with guard():
            rows = await self._documents.aggregate(pipeline).to_list(1)
        return max(0.0, float(rows[0]["left"]) / 1000) if rows else None

    async def let_go(
        self, run: Run, *, replay_id: Id, by: Id, claim: str | None, grouped: bool = False
    ) -> Run | None:
        """Queue a pending or failed run under its next fence; None when that was done, or it is claimed."""
        mine = [{"$eq": ["$claim", {"$literal": claim}]}] if claim is not None else []
        query = {
            "_id": run.id,
            "fence": run.fence,
            "$or": [{"state": "pending"}, {"state": "failed", "counted": True}],
            "$expr": {"$or": [_UNCLAIMED, *mine]},
        }
        update = {
            "$set": {
                "state": "queued",
                "fence": run.fence + 1,
                "replay_id": replay_id,
                "by": by,
                "stop": False,
                "grouped": grouped,
                "counted": False,
            },
            "$unset": {"claim": 1, "claimed_until": 1, "owner": 1, "result": 1, "started_at": 1},
        }
        with guard():
            row = await self._documents.find_one_and_update(
                query, update, projection=_SLIM, return_document=ReturnDocument.AFTER
            )
        return self._slim(row) if row else None

    async def fences(self, run_ids: Iterable[Id]) -> dict[Id, tuple[int, bool]]:
        """Return the fence of each running run, and whether it is to be stopped."""
        query = {"_id": {"$in": list(run_ids)}, "state": "running"}
        with guard():
            rows = await self._documents.find(query, projection={"fence": 1, "stop": 1}).to_list(None)
        return {row["_id"]: (row["fence"], bool(row.get("stop"))) for row in rows}

    async def ask_to_stop(self, stopping: Stopping) -> dict[Id, str]:
        """Have running replays stopped by their processes; return the process of each."""
        query = {**_marked(stopping), "state": "running"}
        with guard():
            await self._documents.update_many(query, {"$set": {"stop": True}})
            rows = await self._documents.find(query, projection={"owner": 1}).to_list(None)
        return {row["_id"]: row["owner"] for row in rows}

    async def take_back(self, stopping: Stopping, *, states: Sequence[RunState]) -> None:
        """Make runs pending again that are in one of some states; whoever is at them loses them."""
        with guard():
            await self._documents.update_many(
                {**_marked(stopping), "state": {"$in": list(states)}}, GIVEN_BACK
            )

    async def going(self, stopping: Stopping) -> bool:
        """Tell whether any of the runs to stop waits or runs, be it under another replay by now."""
        query = {**_marked(stopping), "state": {"$in": ["queued", "running"]}}
        with guard():
            # By id: the index of states could miss a run that goes from one to the other meanwhile.
            return await self._documents.find_one(query, projection={"_id": 1}, hint="_id_") is not None

    async def mark_counted(self, replay_ids: Sequence[Id]) -> None:
        """Note that the end of replays is announced."""
        query = {"replay_id": {"$in": list(replay_ids)}, "state": {"$in": ["done", "failed"]}}
        with guard():
            await self._documents.update_many(query, {"$set": {"counted": True}})

    async def counted(self, invocation_id: Id, *, cycle: int) -> dict[str, int]:
        """Return how many runs of a cycle have ended and are announced, by state."""
        ended = {"state": {"$in": ["done", "failed"]}, "counted": True}
        pipeline: list[dict[str, Any]] = [
            {"$match": {"invocation_id": invocation_id, "cycle": cycle, **ended}},
            {"$group": {"_id": "$state", "runs": {"$sum": 1}}},
        ]
        with guard():
            rows = await self._documents.aggregate(pipeline).to_list(None)
        return {row["_id"]: row["runs"] for row in rows}

    async def queued(self) -> list[Id]:
        """Return runs that are to be replayed."""
        return await self._ids({"state": "queued"})

    async def ungraded(self) -> list[Id]:
        """Return runs that are to be graded and that nobody is at."""
        return await self._ids({"grading.grade_id": {"$exists": True}, "grading.owner": None})

    async def orphaned(self, owners: Iterable[str], *, besides: Iterable[Id]) -> list[Id]:
        """Return running runs, besides some, whose process is none of these."""
        query = {"state": "running", "owner": {"$nin": list(owners)}, "_id": {"$nin": list(besides)}}
        return await self._ids(query)

    async def orphaned_gradings(self, owners: Iterable[str], *, besides: Iterable[Id]) -> list[Id]:
        """Return runs, besides some, whose grading's process is none of these."""
        query: dict[str, Any] = {"grading.grade_id": {"$exists": True}, "_id": {"$nin": list(besides)}}
        query["grading.owner"] = {"$exists": True, "$nin": list(owners)}
        return await self._ids(query)

    async def uncounted(self) -> list[Id]:
        """Return invocations with runs that have ended but are not announced."""
        query = {"state": {"$in": ["done", "failed"]}, "counted": False}
        with guard():
            rows = (
                await self._documents.find(query, projection={"invocation_id": 1}).limit(LOOK).to_list(LOOK)
            )
        return list(dict.fromkeys(row["invocation_id"] for row in rows))

    async def _ids(self, query: dict[str, Any]) -> list[Id]:
        with guard():
            rows = await self._documents.find(query, projection={"_id": 1}).limit(LOOK).to_list(LOOK)
        return [row["_id"] for row in rows]

    def _slim(self, row: dict[str, Any]) -> Run:
        if row.get("result"):
            row["result"].setdefault("messages", [])
        return self._read(row)


class RecordingStore:
    """The recorded runs of tests, as they were when the test began."""

    def __init__(self, database: Documents) -> None:
        self._documents = database.recordings

    async def make(self, recordings: Sequence[Recording]) -> None:
        """Store recordings; those that exist already are left as they are."""
        with guard():
            for start in range(0, len(recordings), RECORDINGS_BATCH):
                part = recordings[start : start + RECORDINGS_BATCH]
                await _insert(self._documents, [to_document(r) for r in part])

    async def get(self, key: Id) -> Recording | None:
        """Return a recording, None when there is none."""
        with guard():
            row = await self._documents.find_one({"_id": key})
        return Recording.model_validate({**row, "id": row["_id"]}) if row else None


def _marked(stopping: Stopping) -> dict[str, Any]:
    """Return what finds the runs of a stop, also after another process has taken them over."""
    return {"_id": {"$in": list(stopping.runs)}, "by": {"$in": stopping.by}}


async def _insert(collection: Any, documents: list[dict[str, Any]]) -> None:
    """Insert documents that may exist already."""
    writes = [
        UpdateOne(
            {"_id": d["_id"]}, {"$setOnInsert": {k: v for k, v in d.items() if k != "_id"}}, upsert=True
        )
        for d in documents
    ]
    if writes:
        await collection.bulk_write(writes, ordered=False)
