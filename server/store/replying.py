"""Aggregates in which replies are given: whose the running one is, and whether it may go on."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from schemas.envelope import Id
from server.store.aggregates import AggregateStore
from server.store.guard import guard

T = TypeVar("T", bound=BaseModel)


class ReplyingStore(AggregateStore[T]):
    """Documents that have at most one running reply, in their field `reply`; `reply.owner` has an index."""

    async def replying(self, key: Id) -> Id | None:
        """Return the id of the message that a running reply becomes, None when there is no such reply."""
        with guard():
            row = await self._documents.find_one({"_id": key}, projection={"reply.message_id": 1})
        return str(row["reply"]["message_id"]) if row and "reply" in row else None

    async def stops(self, owner: str) -> list[Id]:
        """Return those whose reply, produced by this owner, is to be stopped."""
        query = {"reply.owner": owner, "reply.stop": True}
        with guard():
            found = await self._documents.find(query, projection={"_id": 1}).to_list(100)
        return [d["_id"] for d in found]

    async def kept(self, keys: Sequence[Id], owner: str) -> set[Id]:
        """Return those of these whose running reply is this owner's."""
        query = {"_id": {"$in": list(keys)}, "reply.owner": owner}
        with guard():
            found = await self._documents.find(query, projection={"_id": 1}).to_list(None)
        return {d["_id"] for d in found}

    def _owned(self, owner: dict[str, Any]) -> dict[str, Any]:
        return {"reply.owner": owner}
