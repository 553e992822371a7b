"""Remembered requests: what a client_event_id did (core §14)."""

from dataclasses import dataclass
from typing import Any, Literal

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import DuplicateKeyError

from server.store.guard import guard


@dataclass(frozen=True, slots=True)
class Request:
    """A remembered request; `hash` of event and payload, `process` who runs it."""

    hash: str
    state: Literal["running", "done"]
    ack: bytes | None
    process: str


class RequestStore:
    """One document per (identity, client_event_id), kept for 24 h."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._requests = database.requests

    async def claim(self, identity: str, key: str, *, digest: str, process: str) -> Request | None:
        """Insert a request and return None, or return the one that is there."""
        with guard():
            document = {
                "_id": {"i": identity, "k": key},
                "hash": digest,
                "state": "running",
                "process": process,
            }
            try:
                await self._requests.update_one(
                    {"_id": document["_id"], "hash": None, "state": None},
                    [{"$set": {**document, "at": "$$NOW"}}],
                    upsert=True,
                )
            except DuplicateKeyError:
                found = await self._requests.find_one({"_id": document["_id"]})
                if found is None:
                    return await self.claim(identity, key, digest=digest, process=process)
                return Request(found["hash"], found["state"], found.get("ack"), found["process"])
        return None

    async def take_over(self, identity: str, key: str, *, old: str, process: str) -> bool:
        """Move a running request from a dead process to this one; False when somebody else did."""
        with guard():
            result = await self._requests.update_one(
                {"_id": {"i": identity, "k": key}, "process": old, "state": "running"},
                {"$set": {"process": process}},
            )
        return result.modified_count == 1

    async def finish(self, identity: str, key: str, ack: bytes) -> None:
        """Remember the answer."""
        with guard():
            await self._requests.update_one(
                {"_id": {"i": identity, "k": key}}, {"$set": {"state": "done", "ack": ack}}
            )

    async def forget(self, identity: str, key: str) -> None:
        """Forget a request whose failure may be retried."""
        with guard():
            await self._requests.delete_one({"_id": {"i": identity, "k": key}})
