"""Drafts: forms that are filled by people and models at once, each change for a version."""

from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ReturnDocument

from schemas.draft import Draft
from schemas.envelope import utc_now
from schemas.stored import Owner
from server.store.aggregates import AggregateStore
from server.store.guard import guard
from server.store.pages import Page


class DraftStore(AggregateStore[Draft]):
    """Drafts; every change is a compare-and-set on `version`."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        super().__init__(database, "drafts", Draft)

    async def write(
        self, draft: Draft, form_state: dict[str, Any], *, applied: str | None = None
    ) -> Draft | None:
        """Store a draft's next version, made from this one; None when it is not at this version any more."""
        update: dict[str, Any] = {
            "$set": {"form_state": form_state, "updated_at": utc_now()},
            "$inc": {"version": 1},
        }
        if applied is not None:
            update["$push"] = {"applied": {"$each": [applied], "$slice": -200}}
        with guard():
            row = await self._documents.find_one_and_update(
                {"_id": draft.id, "version": draft.version},
                update,
                return_document=ReturnDocument.AFTER,
            )
        return self._read(row) if row else None

    async def delete(self, key: str) -> bool:
        """Remove a draft; False when there was none."""
        with guard():
            result = await self._documents.delete_one({"_id": key})
        return result.deleted_count == 1

    async def of(self, owner: Owner, *, org: str, limit: int, cursor: str | None) -> Page[Draft]:
        """Return a page of somebody's drafts, newest first."""
        query = {"owner.id": owner.id, "owner.kind": owner.kind, "org": org}
        page = await self.page(query, limit=limit, cursor=cursor)
        return Page([self._read(row) for row in page.items], page.next_cursor)
