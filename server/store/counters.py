"""Numbers that are given out once each, to processes that ask at the same time."""

from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ReturnDocument

from server.store.guard import guard


class CounterStore:
    """Gives out numbers from 1 on, in blocks; a block whose user dies is lost, never given twice."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._counters = database.counters

    async def reserve(self, name: str, count: int = 1) -> int:
        """Return the first of so many numbers that nobody else gets under this name."""
        with guard():
            row = await self._counters.find_one_and_update(
                {"_id": name},
                {"$inc": {"last": count}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        return int(row["last"]) - count + 1
