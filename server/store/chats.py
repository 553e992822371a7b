"""Chats: a scenario practised once, with its messages, answers and grades in one document."""

from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase

from schemas.attempt import Chat
from schemas.stored import Owner
from server.store.guard import guard
from server.store.pages import Page, page_filter, to_page
from server.store.replying import ReplyingStore

MAX_CHAT_BYTES = 10 * 1024 * 1024
_WIDE = 10**8  # added to a place in a list, so that places as text are in the order of their numbers


class ChatStore(ReplyingStore[Chat]):
    """Chats, and what is inside them."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        super().__init__(database, "chats", Chat)

    async def access(self, chat_id: str) -> tuple[Owner, str] | None:
        """Return a chat's owner and organisation, None when there is no such chat."""
        with guard():
            row = await self._documents.find_one({"_id": chat_id}, projection={"owner": 1, "org": 1})
        return (Owner.model_validate(row["owner"]), row["org"]) if row else None

    async def is_open(self, chat_id: str) -> bool:
        """Tell whether a chat exists and takes turns."""
        with guard():
            found = await self._documents.find_one({"_id": chat_id, "status": "open"}, projection={"_id": 1})
        return found is not None

    def _owned(self, owner: dict[str, Any]) -> dict[str, Any]:
        return {"$or": [{"work": {"$elemMatch": {"owner": owner}}}, super()._owned(owner)]}

    async def overdue(self) -> list[str]:
        """Return open chats whose time is up."""
        query = {"deadline": {"$exists": True}, "status": "open", "$expr": {"$lte": ["$deadline", "$$NOW"]}}
        with guard():
            found = await self._documents.find(query, projection={"_id": 1}).limit(100).to_list(100)
        return [d["_id"] for d in found]

    async def of_attempt(self, chat_ids: list[str]) -> list[Chat]:
        """Return chats by their ids, oldest first."""
        with guard():
            found = await self._documents.find({"_id": {"$in": chat_ids}}).sort("created_at", 1).to_list(None)
        return [self._read(d) for d in found]

    async def parts(
        self, field: str, query: dict[str, Any], *, limit: int, cursor: str | None
    ) -> Page[dict[str, Any]]:
        """Return a page of messages or grades of the chats that match, newest first, with their chat_id.

        What a chat got within one millisecond stands in the chat's own order.
        """
        nth = {"$toString": {"$add": [_WIDE, "$nth"]}}
        pipeline: list[dict[str, Any]] = [
            {"$match": query},
            {"$project": {field: 1}},
            {"$unwind": {"path": f"${field}", "includeArrayIndex": "nth"}},
            {
                "$replaceRoot": {
                    "newRoot": {
                        "$mergeObjects": [
                            f"${field}",
                            {"chat_id": "$_id", "_id": {"$concat": ["$_id", ":", nth]}},
                        ]
                    }
                }
            },
            {"$match": page_filter(cursor)},
            {"$sort": {"created_at": -1, "_id": -1}},
            {"$limit": limit + 1},
        ]
        with guard():
            rows = await self._documents.aggregate(pipeline).to_list(None)
        return to_page(rows, limit)
