"""What chats and attempts share: a state change and its events are one write (core §11)."""

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from motor.motor_asyncio import AsyncIOMotorDatabase
from pydantic import BaseModel
from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import DuplicateKeyError

from schemas.stored import Pending
from server.store.guard import guard
from server.store.pages import Page, page_filter, to_page

T = TypeVar("T", bound=BaseModel)
Key = str | int
SWEEP_MS = 3000


class AggregateStore(Generic[T]):
    """Documents of one collection that carry an outbox of events."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]], name: str, model: type[T]) -> None:
        self.name = name
        self._model = model
        self._documents = database[name]

    async def get(self, key: Key) -> T | None:
        """Return an aggregate, None when there is none."""
        with guard():
            document = await self._documents.find_one({"_id": key})
        return self._read(document) if document else None

    async def knows_owner(self, owner_id: str, *, org: str) -> bool:
        """Tell whether a profile has any of these in an organisation."""
        with guard():
            row = await self._documents.find_one({"owner.id": owner_id, "org": org}, projection={"_id": 1})
        return row is not None

    async def create(self, aggregate: T, outbox: Sequence[Pending]) -> bool:
        """Store a new aggregate with its first events; False when it exists already."""
        document = to_document(aggregate)
        if outbox:
            document["outbox"] = [p.model_dump() for p in outbox]
            document["outbox_at"] = document["created_at"]
        with guard():
            try:
                await self._documents.insert_one(document)
            except DuplicateKeyError:
                return False
        return True

    async def change(
        self, key: Key, *, when: dict[str, Any], update: dict[str, Any], outbox: Sequence[Pending] = ()
    ) -> list[Pending] | None:
        """Apply an update and store its events with it, if `when` still holds; journaled.

        Returns all events of the aggregate that are not known to be in their logs, oldest first: whoever
        publishes them keeps the order of the changes. None when `when` did not hold.
        """
        update = dict(update)
        if outbox:
            push = {"$each": [p.model_dump() for p in outbox]}
            update["$push"] = {**update.get("$push", {}), "outbox": push}
            update["$currentDate"] = {"outbox_at": True}
        with guard():
            found = await self._documents.find_one_and_update(
                {"_id": key, **when}, update, projection={"outbox": 1}, return_document=ReturnDocument.AFTER
            )
        return None if found is None else [Pending.model_validate(p) for p in found.get("outbox", [])]

    async def clear(self, published: Iterable[tuple[Key, list[str]]]) -> None:
        """Remove events that are in their logs from the outboxes."""
        writes = []
        for key, eids in published:
            writes.append(UpdateOne({"_id": key}, {"$pull": {"outbox": {"eid": {"$in": eids}}}}))
            writes.append(UpdateOne({"_id": key, "outbox": []}, {"$unset": {"outbox_at": 1, "outbox": 1}}))
        if writes:
            with guard():
                await self._documents.bulk_write(writes, ordered=True)

    async def waiting(self) -> list[tuple[Key, list[Pending]]]:
        """Return the outboxes that have waited for more than 3 s: their process died or was cut off."""
        query = {
            "outbox_at": {"$exists": True},
            "$expr": {"$lt": ["$outbox_at", {"$subtract": ["$$NOW", SWEEP_MS]}]},
        }
        with guard():
            oldest = self._documents.find(query, projection={"outbox": 1}).sort("outbox_at", 1).limit(100)
            found = await oldest.to_list(100)
        return [(d["_id"], [Pending.model_validate(p) for p in d.get("outbox", [])]) for d in found]

    async def orphans(self, living: Iterable[str], *, besides: Iterable[str] = ()) -> list[T]:
        """Return aggregates, besides some, with work whose owner is not among the living processes."""
        query = {"_id": {"$nin": list(besides)}, **self._owned({"$exists": True, "$nin": list(living)})}
        with guard():
            found = await self._documents.find(query).to_list(50)
        return [self._read(d) for d in found]

    async def page(
        self,
        query: dict[str, Any],
        *,
        limit: int,
        cursor: str | None,
        projection: dict[str, int] | None = None,
    ) -> Page[dict[str, Any]]:
        """Return a page of documents, newest first, as they are stored."""
        with guard():
            found = self._documents.find({**query, **page_filter(cursor)}, projection=projection)
            rows = await found.sort([("created_at", -1), ("_id", -1)]).limit(limit + 1).to_list(limit + 1)
        return to_page(rows, limit)

    def _owned(self, owner: dict[str, Any]) -> dict[str, Any]:
        """Return what finds work by its owner; whatever it names has an index."""
        return {"work": {"$elemMatch": {"owner": owner}}}

    def _read(self, document: dict[str, Any]) -> T:
        return self._model.model_validate({**document, "id": document["_id"]})


def to_document(aggregate: BaseModel) -> dict[str, Any]:
    """Return a model as MongoDB stores it: `_id` for id, fields without a value left out."""
    document = aggregate.model_dump(exclude_none=True)
    return {"_id": document.pop("id"), **document}
