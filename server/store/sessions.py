"""Sessions: what a client follows, for any process that serves its next connection."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ReturnDocument

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
    """A stored session: whose it is, its rooms, the next room's alias, and the epoch it began in.

    `process` is its home: the one process that changes it; `turn` counts how often it was taken there, so
    that of two connections with one session only the newer changes it. Over HTTP `key` is the hash of its
    stream's key; a socket's has `sid` instead, the one that its client keeps.
    """

    id: str
    identity: dict[str, Any]
    aliases: int
    process: str
    key: str = ""
    sid: str | None = None
    epoch: str = ""
    turn: int = 0
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
            "sid": session.sid,
            "epoch": session.epoch,
            "aliases": session.aliases,
            "process": session.process,
            "turn": session.turn,
            "rooms": [_room_document(r) for r in session.rooms],
            "closed_at": None,
        }
        with guard():
            await self._sessions.update_one(
                {"_id": session.id, "identity": None},
                [{"$set": {**document, "seen_at": "$$NOW"}}],
                upsert=True,
            )

    async def find(self, session_id: str) -> Session | None:
        """Return a session over HTTP, None when it is unknown or closed."""
        with guard():
            row = await self._sessions.find_one({"_id": session_id, "sid": None})
        return None if row is None else _session(row)

    async def find_socket(self, session_id: str, *, within: int) -> Session | None:
        """Return a socket's session, None when it is unknown or its connection ended too many seconds ago.

        When nobody has noted that it ended, its process's heartbeat counts.
        """
        since = {"$subtract": ["$$NOW", within * 1000]}
        beaten = {"$and": [{"$eq": ["$closed_at", None]}, {"$gt": [{"$max": "$home.until"}, since]}]}
        pipeline: list[dict[str, Any]] = [
            {"$match": {"_id": session_id, "sid": {"$ne": None}}},
            {"$lookup": {"from": "processes", "localField": "process", "foreignField": "_id", "as": "home"}},
            {"$match": {"$expr": {"$or": [{"$gt": ["$seen_at", since]}, beaten]}}},
        ]
        with guard():
            rows = await self._sessions.aggregate(pipeline).to_list(None)
        return _session(rows[0]) if rows else None

    async def at_home(self, session_ids: list[str], process: str) -> set[str]:
        """Return those of the sessions whose home is a process."""
        with guard():
            rows = await self._sessions.find(
                {"_id": {"$in": session_ids}, "process": process}, {"_id": True}
            ).to_list(None)
        return {str(row["_id"]) for row in rows}

    async def elsewhere(self, session_ids: list[str], process: str) -> set[str]:
        """Return those of the sessions whose home is another process."""
        with guard():
            rows = await self._sessions.find(
                {"_id": {"$in": session_ids}, "process": {"$ne": process}}, {"_id": True}
            ).to_list(None)
        return {str(row["_id"]) for row in rows}

    async def take(self, session: Session, *, process: str) -> Session | None:
        """Make a process a session's home, in use from now on; return it as it is stored since.

        None when it was taken since it was read: of several at a time one is the first.
        """
        with guard():
            row = await self._sessions.find_one_and_update(
                _mine(session),
                [
                    {
                        "$set": {
                            "process": process,
                            "turn": session.turn + 1,
                            "seen_at": "$$NOW",
                            "closed_at": None,
                        }
                    }
                ],
                return_document=ReturnDocument.AFTER,
            )
        return None if row is None else _session(row)

    async def save_room(self, session: Session, room: SessionRoom) -> None:
        """Add a room to a session, or store what has changed about it; the other rooms are not touched.

        Does nothing when the session has left its home.
        """
        document = _room_document(room)
        mine = _mine(session)
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
        with guard():
            await self._sessions.update_one(_mine(session), {"$pull": {"rooms": {"alias": alias}}})

    async def renew(self, session: Session, identity: dict[str, Any]) -> bool:
        """Replace whose a session is by the same with a newer token; False when it has left its home."""
        with guard():
            renewed = await self._sessions.update_one(_mine(session), {"$set": {"identity": identity}})
        return renewed.matched_count == 1

    async def touch(self, session_ids: list[str]) -> None:
        """Note that sessions are in use."""
        if session_ids:
            in_use = {"_id": {"$in": session_ids}}
            with guard():
                await self._sessions.update_many(in_use, [{"$set": {"seen_at": "$$NOW"}}])

    async def rest(self, sessions: list[Session]) -> None:
        """Note that the connections of sessions have ended, but for those that were taken since."""
        if sessions:
            mine = {"$or": [_mine(session) for session in sessions]}
            with guard():
                await self._sessions.update_many(mine, [{"$set": {"seen_at": "$$NOW", "closed_at": "$$NOW"}}])

    async def close(self, session_id: str) -> bool:
        """Remove a session; False when it was gone."""
        with guard():
            return (await self._sessions.delete_one({"_id": session_id})).deleted_count == 1

    async def close_all(self, sessions: list[Session]) -> None:
        """Remove sessions, but for those that were taken since."""
        if sessions:
            with guard():
                await self._sessions.delete_many({"$or": [_mine(session) for session in sessions]})

    async def expire(self, seconds: int, *, sparing: Collection[str] = (), sockets: bool = False) -> None:
        """Remove the sessions of sockets, or those over HTTP, that nobody has used for a while.

        Those at home in the processes to spare are left for these to remove.
        """
        kind: dict[str, Any] = {"sid": {"$ne": None}} if sockets else {"sid": None}
        abandoned = {"$lt": ["$seen_at", {"$subtract": ["$$NOW", seconds * 1000]}]}
        with guard():
            await self._sessions.delete_many(
                {**kind, "process": {"$nin": sorted(sparing)}, "$expr": abandoned}
            )


def _mine(session: Session) -> dict[str, Any]:
    """Return what a session is found by unless it has left its home, or was taken there once more."""
    return {"_id": session.id, "process": session.process, "turn": session.turn}


def _session(row: dict[str, Any]) -> Session:
    return Session(
        id=row["_id"],
        identity=row["identity"],
        key=row["key"],
        sid=row["sid"],
        epoch=row["epoch"],
        aliases=row["aliases"],
        process=row["process"],
        turn=row["turn"],
        rooms=[_room(r) for r in row["rooms"]],
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
