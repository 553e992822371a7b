"""Attempts: one go at a home or a practice."""

from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase

from schemas.attempt import Attempt
from schemas.stored import Pending
from server.store.aggregates import AggregateStore, to_document
from server.store.guard import guard


class AttemptStore(AggregateStore[Attempt]):
    """Attempts; every change is a compare-and-set on `rev`."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        super().__init__(database, "attempts", Attempt)

    async def replace(self, attempt: Attempt, outbox: list[Pending]) -> list[Pending] | None:
        """Store an attempt that was read and changed; None when somebody else changed it since."""
        document = to_document(attempt)
        del document["_id"], document["rev"]
        return await self.change(
            attempt.id,
            when={"rev": attempt.rev},
            update={"$set": document, "$inc": {"rev": 1}},
            outbox=outbox,
        )

    async def with_entry(self, chat_entry_id: str, *, owner_id: str) -> Attempt | None:
        """Return somebody's attempt that has an entry, None when there is none."""
        with guard():
            row = await self._documents.find_one(
                {"owner.id": owner_id, "entries.chat_entry_id": chat_entry_id}
            )
        return self._read(row) if row else None
