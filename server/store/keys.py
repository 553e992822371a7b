"""API keys, stored as hashes."""

import hashlib
from dataclasses import dataclass
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase

from schemas.envelope import Role
from server.store.guard import guard


@dataclass(frozen=True, slots=True)
class Key:
    """Who an API key speaks for."""

    profile_id: str
    role: Role
    org: str


def digest(key: str) -> str:
    """Return the hash under which a key is stored; keys are random, so a plain SHA-256 is enough."""
    return hashlib.sha256(key.encode()).hexdigest()


class KeyStore:
    """Creates, finds and revokes API keys."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._keys = database.api_keys

    async def create(self, hashed: str, key: Key) -> None:
        """Store a key by its hash."""
        with guard():
            await self._keys.update_one(
                {"_id": hashed},
                [
                    {
                        "$set": {
                            "profile_id": key.profile_id,
                            "role": key.role,
                            "org": key.org,
                            "created_at": "$$NOW",
                        }
                    }
                ],
                upsert=True,
            )

    async def find(self, hashed: str) -> Key | None:
        """Return whom a key speaks for, None when it is unknown."""
        with guard():
            row = await self._keys.find_one({"_id": hashed})
        return Key(row["profile_id"], row["role"], row["org"]) if row else None
