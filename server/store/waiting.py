"""How much work waits, of every kind, counted at once."""

from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase

from schemas.room import OpsWaiting
from server.store.guard import guard

MOST = 10_000  # of each kind; more is told as so many
SECONDS = 1.0
_QUEUED = {"state": "queued"}
_KINDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("test", "runs", _QUEUED),
    ("test", "runs", {"grading.grade_id": {"$exists": True}, "grading.owner": None}),
    ("batch", "jobs", _QUEUED),
    ("evaluator", "evaluator_results", _QUEUED),
    ("index", "pipeline_documents", _QUEUED),
)


class WaitingStore:
    """Counts what the ledgers say that nobody has begun."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._database = database

    async def counts(self) -> OpsWaiting:
        """Return how much waits, by one query; raises Unavailable, also after a second without answer."""
        (_, first, match), *others = _KINDS
        stages = _counted(0, match)
        stages += [
            {"$unionWith": {"coll": name, "pipeline": _counted(place, wanted)}}
            for place, (_, name, wanted) in enumerate(others, start=1)
        ]
        with guard():
            found = self._database[first].aggregate(stages, maxTimeMS=int(SECONDS * 1000))
            rows = await found.to_list(len(_KINDS))
        counts: dict[str, int] = {}
        for row in rows:
            kind = _KINDS[row["_id"]][0]
            counts[kind] = counts.get(kind, 0) + row["n"]
        return OpsWaiting(**counts)


def _counted(place: int, match: dict[str, Any]) -> list[dict[str, Any]]:
    group = {"$group": {"_id": {"$literal": place}, "n": {"$sum": 1}}}
    return [{"$match": match}, {"$limit": MOST}, group]
