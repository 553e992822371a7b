"""Media that were made here, such as generated images."""

from dataclasses import dataclass
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import UpdateOne

from schemas.envelope import utc_now
from server.store.guard import guard


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """Bytes and what they are."""

    data: bytes
    media_type: str


class MediaStore:
    """Keeps media by id; one that is stored again stays as it was."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._media = database.media

    async def put(self, key: str, medium: Medium, *, org: str) -> None:
        """Store a medium."""
        kept = {"data": medium.data, "media_type": medium.media_type, "org": org, "created_at": utc_now()}
        with guard():
            await self._media.bulk_write([UpdateOne({"_id": key}, {"$setOnInsert": kept}, upsert=True)])

    async def get(self, key: str) -> Medium | None:
        """Return a medium, None when there is none."""
        with guard():
            row = await self._media.find_one({"_id": key})
        return Medium(data=bytes(row["data"]), media_type=row["media_type"]) if row else None
