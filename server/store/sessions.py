"""HTTP sessions: what a stream follows, for any process that serves it next."""

from dataclasses import dataclass, field
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase

from server.store.guard import guard


@dataclass(slots=True, kw_only=True, eq=False)
class SessionRoom:
    """A room of a session, under an alias that the session never gives again.

    `start` is where following began, a number of `epoch`. With `until` the room is left by itself after one
    of these events; `ended` is the number of that event once it was written.
    """

    alias: int
    room: str
    start: int
    epoch: str
    until: frozenset[str] = frozenset()
    ended: int | None = None


@dataclass(slots=True, kw_only=True)
class Session:
    """A stored session: whose it is, the hash of its stream's key, its rooms, and the next room's alias.

    `process` is its home: the one process that changes it.
    """

    id: str
    identity: dict[str, Any]
    key: str
    aliases: int
    process: str
    rooms: list[SessionRoom] = field(default_factory=list)


class SessionStore:
    """Keeps sessions; closed or abandoned ones are removed by `expire`."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._sessions = database.sessions

    async def create(self, session: Session) -> None:
        """Store a new session."""
        document = {
            "_id": session.id,
            "identity": session.identity,
            "key": session.key,
            "aliases": session.aliases,
            "process": session.process,
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
        return Session(
            id=row["_id"],
            identity=row["identity"],
            key=row["key"],
            aliases=row["aliases"],
            process=row["process"],
            rooms=[_room(r) for r in row["rooms"]],
        )

    async def at_home(self, session_ids: list[str], process: str) -> set[str]:
        """Return those of the sessions whose home is a process."""
        with guard():
            rows = await self._sessions.find(
                {"_id": {"$in": session_ids}, "process": process}, {"_id": True}
            ).to_list(None)
        return {str(row["_id"]) for row in rows}

    async def move(self, session_id: str, *, to: str, home: str) -> bool:
        """Give a session another home; False when its home is not the one it was."""
        with guard():
            moved = await self._sessions.update_one(
                {"_id": session_id, "process": home}, {"$set": {"process": to}}
            )
        return moved.modified_count == 1

    async def save_room(self, session: Session, room: SessionRoom) -> None:
        """Add a room to a session, or store what has changed about it; the other rooms are not touched.

        Does nothing when the session has left its home.
        """
        document = _room_document(room)
        mine = {"_id": session.id, "process": session.process}
        with guard():
            added = await self._sessions.update_one(
                {**mine, "rooms.alias": {"$ne": room.alias}},
                {"$push": {"rooms": document}, "$max": {"aliases": room.alias + 1}},
            )
            if not added.matched_count:
                await self._sessions.update_one(
                    {**mine, "rooms.alias": room.alias}, {"$set": {"rooms.$": document}}
                )

    async def drop_room(self, session: Session, alias: int) -> None:
        """Remove a room from a session that is at home; its alias is not given again."""
        mine = {"_id": session.id, "process": session.process}
        with guard():
            await self._sessions.update_one(mine, {"$pull": {"rooms": {"alias": alias}}})

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
    return {
        "alias": room.alias,
        "room": room.room,
        "from": room.start,
        "epoch": room.epoch,
        "until": sorted(room.until),
        "ended": room.ended,
    }


def _room(row: dict[str, Any]) -> SessionRoom:
    return SessionRoom(
        alias=int(row["alias"]),
        room=row["room"],
        start=int(row["from"]),
        epoch=row["epoch"],
        until=frozenset(row["until"]),
        ended=None if row["ended"] is None else int(row["ended"]),
    )
