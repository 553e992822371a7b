"""Generations: runs of generate, the groups they belong to, and how many somebody has had in a day."""

from datetime import datetime
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import DuplicateKeyError

from schemas.envelope import Id, utc_now
from schemas.generation import Generation
from server.store.aggregates import AggregateStore
from server.store.guard import guard
from server.store.pages import Page


class GenerationStore(AggregateStore[Generation]):
    """Generations; whoever changes a running one names the fence of its work."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        super().__init__(database, "generations", Generation)
        self._groups = database.generation_groups
        self._counts = database.generation_counts

    async def of_draft(self, draft_id: Id, *, limit: int, cursor: str | None) -> Page[Generation]:
        """Return a page of the runs that write into a draft, newest first, without what they were shown."""
        page = await self.page(
            {"draft_id": draft_id}, limit=limit, cursor=cursor, projection={"extra_messages": 0, "saving": 0}
        )
        return Page([self._read(row) for row in page.items], page.next_cursor)

    async def claim_group(self, group_id: str, owner: str) -> bool:
        """Make a group somebody's, once; False when it is another's."""
        with guard():
            try:
                await self._groups.insert_one({"_id": group_id, "owner": owner, "created_at": utc_now()})
            except DuplicateKeyError:
                row = await self._groups.find_one({"_id": group_id})
                return row is not None and row["owner"] == owner
        return True

    async def count(self, owner: str, *, day: datetime, limit: int) -> bool:
        """Count a generation of a day; False when so many have been counted already."""
        if limit < 1:
            return False  # the upsert below would insert the first whatever the limit is
        key = f"{owner}:{day:%Y-%m-%d}"
        with guard():
            try:
                await self._counts.update_one(
                    {"_id": key, "n": {"$lt": limit}},
                    {"$inc": {"n": 1}, "$setOnInsert": {"created_at": day}},
                    upsert=True,
                )
            except DuplicateKeyError:  # it exists and is at its limit, or somebody inserted it just now
                again = await self._counts.update_one({"_id": key, "n": {"$lt": limit}}, {"$inc": {"n": 1}})
                return again.modified_count == 1
        return True
