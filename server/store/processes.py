"""Living processes, the log's epoch, and the key of what they tell each other."""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import DuplicateKeyError

from server.store.guard import guard

LEASE_MS = 10_000


@dataclass(frozen=True, slots=True)
class Meta:
    """What belongs to the database: the log's epoch, and the secret that signs what the bell carries."""

    epoch: str
    secret: str


class ProcessStore:
    """Heartbeats by the database's clock, so that clock skew between processes does not matter."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._processes = database.processes
        self._meta = database.meta

    async def beat(self, process: str) -> Meta:
        """Prolong a process's life by 10 s and return what belongs to the database."""
        with guard():
            await self._processes.update_one(
                {"_id": process}, [{"$set": {"until": {"$add": ["$$NOW", LEASE_MS]}}}], upsert=True
            )
            meta = await self._meta.find_one({"_id": "log"}) or {}
        return Meta(epoch=str(meta.get("epoch", "")), secret=str(meta.get("secret", "")))

    async def leave(self, process: str) -> None:
        """Remove a process that ends: its work may be taken over at once."""
        with guard():
            await self._processes.delete_one({"_id": process})

    async def living(self, *, within: int = 0) -> set[str]:
        """Return the processes whose heartbeat counts, or did within so many seconds."""
        until = {"$gt": ["$until", {"$subtract": ["$$NOW", within * 1000]}]}
        with guard():
            rows = await self._processes.find({"$expr": until}).to_list(None)
        return {str(r["_id"]) for r in rows}

    async def forget_dead(self) -> None:
        """Forget the processes that have been dead for a day."""
        with guard():
            await self._processes.delete_many(
                {"$expr": {"$lt": ["$until", {"$subtract": ["$$NOW", 86_400_000]}]}}
            )

    async def make_epoch(self) -> str:
        """Return the log's epoch; made with the database, as is its secret."""
        with guard():
            with suppress(DuplicateKeyError):
                await self._meta.insert_one({"_id": "log", "epoch": secrets.token_hex(8)})
            await self._meta.update_one(
                {"_id": "log", "secret": None}, {"$set": {"secret": secrets.token_hex(32)}}
            )
            meta = await self._meta.find_one({"_id": "log"})
        return str(meta["epoch"]) if meta else ""

    async def change_epoch(self, old: str) -> str:
        """Give the log a new epoch unless somebody else did; return the one in force."""
        with guard():
            await self._meta.update_one(
                {"_id": "log", "epoch": old}, {"$set": {"epoch": secrets.token_hex(8)}}
            )
            meta = await self._meta.find_one({"_id": "log"})
        return str(meta["epoch"]) if meta else ""
