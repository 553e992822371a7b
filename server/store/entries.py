"""The log's entries: write-once documents named by room and number."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import DESCENDING
from pymongo.errors import BulkWriteError, DuplicateKeyError
from pymongo.read_concern import ReadConcern

from schemas.envelope import MAX_SAFE_INTEGER
from server.store.guard import guard

_DUPLICATE_KEY = 11000
TRIM_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as it is stored; `j` is the payload's JSON, `w` names the writer, `at` is epoch ms."""

    room: str
    n: int
    w: str
    at: int
    name: str
    j: str
    eid: str | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Why a batch stopped at `index`: its number is taken, or its event id is in the log already."""

    index: int
    kind: Literal["number", "event"]


class EntryStore:
    """Reads and appends entries; the only writer of `entries`, `rooms` and `checkpoints`."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._entries = database.entries
        self._seen = database.get_collection("entries", read_concern=ReadConcern("majority"))
        self._rooms = database.rooms
        self._checkpoints = database.checkpoints

    async def append(self, rows: Sequence[Row]) -> Duplicate | None:
        """Insert rows in order, journaled, up to the first duplicate. Unavailable: outcome unknown."""
        with guard():
            try:
                await self._entries.insert_many([_document(r) for r in rows], ordered=True)
            except BulkWriteError as error:
                details = error.details or {}
                failed = details.get("writeErrors") or []
                if not failed or failed[0].get("code") != _DUPLICATE_KEY or details.get("writeConcernErrors"):
                    raise  # also when what went in before the duplicate is on no majority yet
                kind: Literal["number", "event"] = "number" if "_id" in failed[0]["keyPattern"] else "event"
                return Duplicate(int(failed[0]["index"]), kind)
        return None

    async def top(self, room: str) -> int:
        """Return the highest number of a room, 0 when it has no entry."""
        with guard():
            row = await self._seen.find_one(
                {"_id": _after(room, 0)}, sort=[("_id", DESCENDING)], projection={"_id": 1}
            )
        floor = 0 if row else await self.floor(room)
        return int(row["_id"]["n"]) if row else floor

    async def writer(self, room: str, n: int) -> str | None:
        """Return who wrote an entry, None when no majority has it yet."""
        with guard():
            row = await self._seen.find_one({"_id": {"r": room, "n": n}}, projection={"w": 1})
        return str(row["w"]) if row else None

    async def number_of(self, room: str, eid: str) -> int | None:
        """Return the number of the entry with an event id, None when no majority has it yet."""
        with guard():
            row = await self._seen.find_one({"_id.r": room, "eid": eid}, projection={"_id": 1})
        return int(row["_id"]["n"]) if row else None

    async def page(
        self, room: str, *, after: int, upto: int = MAX_SAFE_INTEGER, limit: int = 300
    ) -> list[Row]:
        """Return up to `limit` entries after a number, in order."""
        with guard():
            found = self._seen.find({"_id": _after(room, after, upto)}).sort("_id", 1).limit(limit)
            return [_row(d) for d in await found.to_list(limit)]

    async def newer(self, heads: Mapping[str, int], *, limit: int = 300) -> list[Row]:
        """Return up to `limit` entries after each room's number, in order; at most 100 rooms at a time."""
        ranges = [{"_id": _after(room, head)} for room, head in heads.items()]
        with guard():
            found = self._seen.find({"$or": ranges}).sort("_id", 1).limit(limit)
            return [_row(d) for d in await found.to_list(limit)]

    async def floor(self, room: str) -> int:
        """Return the number up to which entries are gone; 0 when all are kept."""
        with guard():
            row = await self._rooms.find_one({"_id": room}, projection={"floor": 1})
        return int(row.get("floor", 0)) if row else 0

    async def close_room(self, room: str) -> None:
        """Note when a room came to its end, from which its retention counts."""
        with guard():
            await self._rooms.update_one({"_id": room}, [{"$set": {"closed_at": "$$NOW"}}], upsert=True)

    async def closed_rooms(self, days: float) -> list[str]:
        """Return rooms that ended so many days ago, some at a time."""
        old = {"$lt": ["$closed_at", {"$subtract": ["$$NOW", int(days * 86_400_000)]}]}
        with guard():
            found = self._rooms.find({"closed_at": {"$exists": True}, "$expr": old}).limit(1000)
            return [d["_id"] for d in await found.to_list(1000)]

    async def forget_closing(self, room: str) -> None:
        """Note that a room's end has been dealt with."""
        with guard():
            await self._rooms.update_one({"_id": room}, {"$unset": {"closed_at": 1}})

    async def trim(self, room: str, *, upto: int, floor: int) -> None:
        """Forget the entries after `floor` up to a number: first the floor is stored, then the oldest go."""
        with guard():
            await self._rooms.update_one({"_id": room}, {"$max": {"floor": upto}}, upsert=True)
            for start in range(0 if floor < TRIM_PAGE else floor - TRIM_PAGE, upto, TRIM_PAGE):
                stop = min(start + TRIM_PAGE, upto)
                await self._entries.delete_many({"_id": _after(room, start, stop)})

    async def checkpoint(self, room: str, *, epoch: str) -> tuple[int, dict[str, Any]] | None:
        """Return the newest stored fold of a room as (number, state), if it is of this epoch."""
        with guard():
            row = await self._checkpoints.find_one({"_id": room, "epoch": epoch})
        return (int(row["n"]), dict(row["state"])) if row else None

    async def save_checkpoint(self, room: str, n: int, state: dict[str, Any], *, epoch: str) -> None:
        """Store a fold unless a newer one of the same epoch is there."""
        older = {"$or": [{"n": {"$lt": n}}, {"epoch": {"$ne": epoch}}]}
        with guard(), suppress(DuplicateKeyError):
            await self._checkpoints.update_one(
                {"_id": room, **older}, {"$set": {"n": n, "state": state, "epoch": epoch}}, upsert=True
            )


def _after(room: str, after: int, upto: int = MAX_SAFE_INTEGER) -> dict[str, Any]:
    return {"$gt": {"r": room, "n": after}, "$lte": {"r": room, "n": upto}}


def _document(row: Row) -> dict[str, Any]:
    document: dict[str, Any] = {
        "_id": {"r": row.room, "n": row.n},
        "w": row.w,
        "at": row.at,
        "name": row.name,
        "j": row.j,
    }
    if row.eid is not None:
        document["eid"] = row.eid
    return document


def _row(d: dict[str, Any]) -> Row:
    return Row(
        room=d["_id"]["r"],
        n=int(d["_id"]["n"]),
        w=d["w"],
        at=int(d["at"]),
        name=d["name"],
        j=d["j"],
        eid=d.get("eid"),
    )
