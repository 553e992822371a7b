"""Removes many documents in parts that the database is done with before anybody stops waiting for it."""

from typing import Any

from motor.motor_asyncio import AsyncIOMotorCollection

from schemas.envelope import Id
from server.store.guard import guard

PART = 100  # each may have thousands of entries in indexes
MILLISECONDS = 10_000  # less than the connection waits, so that nobody tries again while it goes on


async def drop_part(collection: AsyncIOMotorCollection[dict[str, Any]], query: dict[str, Any]) -> list[Id]:
    """Remove some of the documents that a query finds and return their ids, none when none is left."""
    with guard():
        found = collection.find(query, projection={"_id": 1}).limit(PART).max_time_ms(MILLISECONDS)
        ids = [row["_id"] for row in await found.to_list(PART)]
        if ids:
            one = {"q": {"_id": {"$in": ids}}, "limit": 0}
            await collection.database.command(
                "delete", collection.name, deletes=[one], maxTimeMS=MILLISECONDS
            )
    return ids
