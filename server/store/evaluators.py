"""Evaluators: results, what they were made of, and how often their webhooks were tried."""

from collections.abc import Iterable
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import IndexModel, ReturnDocument
from pymongo.write_concern import WriteConcern

from schemas.evaluator_run import EvaluatorResult
from server.store.aggregates import AggregateStore
from server.store.guard import guard
from server.store.pages import Page, decode_cursor, to_page

PIECE_BYTES = 8 * 1024 * 1024
LOOK = 500  # results that one look returns
LOOSE_SECONDS = 3600
_SLIM = {"plans": 0, "outbox": 0, "outbox_at": 0}
_MARK = "!"
Documents = AsyncIOMotorDatabase[dict[str, Any]]
_OUTBOX = IndexModel([("outbox_at", 1)], partialFilterExpression={"outbox_at": {"$exists": True}})
_KEYED = {"idempotency_key": {"$exists": True}}
_FACTS = ("result", "state", "status", "success", "simulator_error", "plan.scenario")
INDEXES: dict[str, list[IndexModel]] = {
    "evaluator_results": [
        _OUTBOX,
        IndexModel([("org", 1), ("_id", -1)]),
        IndexModel([("org", 1), ("agent", 1), ("_id", -1)]),
        IndexModel([("org", 1), ("created_at", -1), ("_id", -1)]),
        IndexModel([("org", 1), ("idempotency_key", 1)], unique=True, partialFilterExpression=_KEYED),
        IndexModel([("owner.id", 1)]),
        IndexModel([("state", 1)]),
        IndexModel([("webhook_at", 1)], partialFilterExpression={"webhook_at": {"$exists": True}}),
    ],
    "evaluator_setups": [IndexModel([("loose", 1)], sparse=True)],
    "evaluator_runs": [
        _OUTBOX,
        IndexModel([("result", 1), ("_id", 1), ("size", 1)]),
        IndexModel([(name, 1) for name in _FACTS]),
        IndexModel([("org", 1), ("_id", -1)]),
        IndexModel([("org", 1), ("agent", 1), ("_id", -1)]),
        IndexModel([("org", 1), ("status", 1), ("_id", -1)]),
        IndexModel([("result", 1)], name="cancelled", partialFilterExpression={"cancel": True}),
    ],
}


class EvaluatorResultStore(AggregateStore[EvaluatorResult]):
    """Results; whoever changes one names the fence that it saw."""

    def __init__(self, database: Documents) -> None:
        super().__init__(database, "evaluator_results", EvaluatorResult)
        self._lagging = self._documents.with_options(write_concern=WriteConcern(w=1))
        self._setups = database.evaluator_setups

    async def org(self, result_id: int) -> str | None:
        """Return a result's organisation, None when there is no such result."""
        with guard():
            row = await self._documents.find_one({"_id": result_id}, projection={"org": 1})
        return str(row["org"]) if row else None

    async def of_key(self, org: str, key: str) -> EvaluatorResult | None:
        """Return the result that was started under an idempotency key."""
        with guard():
            row = await self._documents.find_one({"org": org, "idempotency_key": key})
        return self._read(row) if row else None

    async def slim(self, result_id: int) -> EvaluatorResult | None:
        """Return a result without its plans, None when there is none."""
        with guard():
            row = await self._documents.find_one({"_id": result_id}, projection=_SLIM)
        return self._read({**row, "plans": []}) if row else None

    async def listed(
        self, org: str, *, agent: int | None, skip: int, limit: int
    ) -> tuple[int, list[EvaluatorResult]]:
        """Return how many results an organisation has, and some of them, newest first, without plans."""
        query = {"org": org} if agent is None else {"org": org, "agent": agent}
        with guard():
            count = await self._documents.count_documents(query)
            found = self._documents.find(query, projection=_SLIM).sort("_id", -1).skip(skip).limit(limit)
            rows = await found.to_list(limit)
        return count, [self._read({**row, "plans": []}) for row in rows]

    async def rooms(self, query: dict[str, Any], *, limit: int, cursor: str | None) -> Page[dict[str, Any]]:
        """Return a page of results, newest first, with texts for ids: they sort before all UUIDs."""
        after: dict[str, Any] = {}
        if cursor is not None:
            moment, last = decode_cursor(cursor)
            same = {"_id": {"$lt": int(last[1:])}} if last.startswith(_MARK) else {}
            after = {"$or": [{"created_at": {"$lt": moment}}, {"created_at": moment, **same}]}
        shown = dict.fromkeys(("owner", "created_at", "name", "agent", "state"), 1)
        with guard():
            found = self._documents.find({"$and": [query, after]}, projection=shown)
            rows = await found.sort([("created_at", -1), ("_id", -1)]).limit(limit + 1).to_list(limit + 1)
        return to_page(
            [{**row, "_id": f"{_MARK}{row['_id']:016}", "result": row["_id"]} for row in rows], limit
        )

    async def fences(self, ids: Iterable[int]) -> dict[int, tuple[int, bool]]:
        """Return the fence of each running result, and whether it is to be cancelled."""
        query = {"_id": {"$in": list(ids)}, "state": "running"}
        with guard():
            rows = await self._documents.find(query, projection={"fence": 1, "cancel": 1}).to_list(None)
        return {row["_id"]: (row["fence"], bool(row.get("cancel"))) for row in rows}

    async def connected(self, result_id: int, *, fence: int) -> None:
        """Note that an agent has answered; it is not journaled, because it may lag."""
        mine = {"_id": result_id, "state": "running", "status": "running", "fence": fence}
        with guard():
            await self._lagging.update_one(mine, {"$set": {"status": "in_progress"}})

    async def queued(self) -> list[int]:
        """Return results that wait."""
        return await self._ids({"state": "queued"})

    async def orphaned(self, living: Iterable[str], *, besides: Iterable[int]) -> list[int]:
        """Return running results, besides some, whose process is none of these."""
        left = {"state": "running", "process": {"$nin": list(living)}, "_id": {"$nin": list(besides)}}
        return await self._ids(left)

    async def hide(self, result_id: int, *, when: dict[str, Any]) -> bool:
        """Let a result belong to nobody, if `when` still holds: it is to be removed once its runs are."""
        update = {"$set": {"state": "deleted", "org": ""}, "$unset": {"idempotency_key": 1, "webhook_at": 1}}
        return await self.change(result_id, when=when, update=update) is not None

    async def hidden(self) -> list[int]:
        """Return results that are to be removed."""
        return await self._ids({"state": "deleted"})

    async def delete(self, result_id: int) -> None:
        """Remove a hidden result and what it was made of."""
        with guard():
            await self._setups.delete_many(_pieces(result_id))
            await self._documents.delete_one({"_id": result_id, "state": "deleted"})

    async def _ids(self, query: dict[str, Any]) -> list[int]:
        with guard():
            rows = await self._documents.find(query, projection={"_id": 1}).limit(LOOK).to_list(LOOK)
        return [int(row["_id"]) for row in rows]

    # --- what a result is made of ---------------------------------------------------------------------------

    async def save_setup(self, result_id: int, packed: bytes, *, version: int = 1) -> None:
        """Store what a result is made of, before the result names it: until `keep_setup` it is loose.

        Versions are the writer's own, and higher than any that the result had named when they were given out.
        """
        pieces = [packed[at : at + PIECE_BYTES] for at in range(0, len(packed), PIECE_BYTES)] or [b""]
        with guard():
            for n, piece in enumerate(pieces):
                fresh = {"$set": {"data": piece}, "$currentDate": {"loose": True}}
                key = {"r": result_id, "v": version, "n": n}
                await self._setups.update_one({"_id": key}, fresh, upsert=True)

    async def keep_setup(self, result_id: int, *, version: int = 1) -> None:
        """Note that a result named this version, and forget those before it: none of them is named again."""
        with guard():
            await self._setups.update_many(_pieces(result_id, version), {"$unset": {"loose": 1}})
            await self._setups.delete_many({"$and": [_pieces(result_id), {"_id.v": {"$lt": version}}]})

    async def drop_setup(self, result_id: int, *, version: int) -> None:
        """Remove a version that was not to become part of its result."""
        with guard():
            await self._setups.delete_many(_pieces(result_id, version))

    async def setup(self, result_id: int, *, version: int) -> bytes | None:
        """Return what a result is made of as it was packed, None when it is gone."""
        with guard():
            rows = await self._setups.find(_pieces(result_id, version)).sort("_id", 1).to_list(None)
        return b"".join(bytes(row["data"]) for row in rows) if rows else None

    async def drop_loose(self) -> None:
        """Remove what an hour ago was to become part of a result and has not."""
        old = {"$lt": ["$loose", {"$subtract": ["$$NOW", LOOSE_SECONDS * 1000]}]}
        with guard():
            found = self._setups.find({"loose": {"$exists": True}, "$expr": old}, projection={"loose": 1})
            for row in await found.limit(LOOK).to_list(LOOK):
                key = row["_id"]
                if await self._documents.find_one(
                    {"_id": key["r"], "setup": key["v"]}, projection={"_id": 1}
                ):
                    await self.keep_setup(key["r"], version=key["v"])
                else:
                    await self._setups.delete_one(row)

    # --- webhooks -------------------------------------------------------------------------------------------

    async def take_webhook(
        self, *, lease_seconds: float, besides: Iterable[int], not_of: Iterable[str]
    ) -> EvaluatorResult | None:
        """Return a result whose webhook is due, without plans; nobody else gets it for some seconds.

        Results of some agents and organisations are passed over. Whoever has it settles it or gives it back.
        """
        due = {"webhook_at": {"$exists": True}, "$expr": {"$lte": ["$webhook_at", "$$NOW"]}}
        query = {**due, "agent": {"$nin": list(besides)}, "org": {"$nin": list(not_of)}}
        later = {"$add": ["$$NOW", int(lease_seconds * 1000)]}
        with guard():
            row = await self._documents.find_one_and_update(
                query,
                [{"$set": {"webhook_at": later}}],
                projection=_SLIM,
                sort=[("webhook_at", 1)],
                return_document=ReturnDocument.AFTER,
            )
        return self._read({**row, "plans": []}) if row else None

    async def settle_webhook(self, result: EvaluatorResult, *, again_in: float | None) -> None:
        """Count a try that was made, and note when to make the next one, None for never.

        Nothing is noted when the result went on since, or somebody else has its webhook by now.
        """
        tries: dict[str, Any] = {"tries": result.tries + 1}
        update: list[dict[str, Any]] = [{"$set": tries}, {"$unset": "webhook_at"}]
        if again_in is not None:
            update = [{"$set": {**tries, "webhook_at": {"$add": ["$$NOW", int(again_in * 1000)]}}}]
        with guard():
            await self._documents.update_one(_taken(result), update)

    async def give_back_webhook(self, result: EvaluatorResult) -> None:
        """Let somebody else make a try that was not made to its end."""
        with guard():
            await self._documents.update_one(_taken(result), [{"$set": {"webhook_at": "$$NOW"}}])


def _taken(result: EvaluatorResult) -> dict[str, Any]:
    """Return what finds a result while its webhook is with whoever took it."""
    return {"_id": result.id, "ends": result.ends, "webhook_at": result.webhook_at, "state": "ended"}


def _pieces(result_id: int, version: int | None = None) -> dict[str, Any]:
    if version is None:
        return {"_id": {"$gte": {"r": result_id, "v": 0}, "$lt": {"r": result_id, "v": 2**31}}}
    key = {"r": result_id, "v": version}
    return {"_id": {"$gte": {**key, "n": 0}, "$lt": {**key, "n": 2**31}}}
