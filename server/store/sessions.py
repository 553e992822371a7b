"""HTTP sessions: what a stream follows, for any process that serves it next."""

from dataclasses import dataclass, field
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase

from server.store.guard import guard


@dataclass(slots=True)
class SessionRoom:
    """A room of a session; its index in the list is its alias in cursor strings and is never reused."""

    room: str
    start: int
    left: bool = False


@dataclass(slots=True)
class Session:
    """A stored session: whose it is, the hash of its stream's key, and its rooms."""

    id: str
    identity: dict[str, Any]
    key: str
    tag: str
    epoch: str
    rooms: list[SessionRoom] = field(default_factory=list)


class SessionStore:
    """Keeps sessions; closed or abandoned ones are removed by `expire`."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._sessions = database.sessions

    async def create(self, session: Session, process: str) -> None:
        """Store a new session."""
        document = {
            "_id": session.id,
            "identity": session.identity,
            "key": session.key,
            "tag": session.tag,
            "epoch": session.epoch,
            "process": process,
            "rooms": [_room_document(r) for r in session.rooms],
        }
        with guard():
            await self._sessions.update_one(
                {"_id": session.id, "identity": None},
                [{"$set": {**document, "seen_at": "$$NOW"}}],
                upsert=True,
            )

    async def find(self, session_id: str) -> Session | None:
        """Return a session, None when it is unknown or closed."""
        with guard():
            row = await self._sessions.find_one({"_id": session_id})
        if row is None:
            return None
        rooms = [SessionRoom(r["room"], int(r["from"]), bool(r.get("left"))) for r in row["rooms"]]
        return Session(
            id=row["_id"],
            identity=row["identity"],
            key=row["key"],
            tag=row["tag"],
            epoch=row["epoch"],
            rooms=rooms,
        )

    async def save_rooms(self, session: Session, epoch: str) -> None:
        """Store the rooms of a session and the epoch that their numbers belong to."""
        with guard():
            await self._sessions.update_one(
                {"_id": session.id},
                {"$set": {"rooms": [_room_document(r) for r in session.rooms], "epoch": epoch}},
            )

    async def touch(self, session_ids: list[str]) -> None:
        """Note that sessions are in use."""
        with guard():
            await self._sessions.update_many({"_id": {"$in": session_ids}}, [{"$set": {"seen_at": "$$NOW"}}])

    async def close(self, session_id: str) -> bool:
        """Remove a session; False when it was gone."""
        with guard():
            return (await self._sessions.delete_one({"_id": session_id})).deleted_count == 1

    async def expire(self, seconds: int) -> None:
        """Remove the sessions that nobody has used for a while."""
        with guard():
            await self._sessions.delete_many(
                {"$expr": {"$lt": ["$seen_at", {"$subtract": ["$$NOW", seconds * 1000]}]}}
            )


def _room_document(room: SessionRoom) -> dict[str, Any]:
    return {"room": room.room, "from": room.start, "left": room.left}
