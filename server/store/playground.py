"""Playground sessions: one for each user and pipeline, with its settings and its conversation."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError

from schemas.envelope import Id, utc_now
from schemas.playground import LlmParams, PlaygroundSession
from schemas.retrieval import RetrievalParams
from schemas.stored import Pending
from server.errors import Unavailable
from server.store.guard import guard
from server.store.replying import ReplyingStore

INDEXES: dict[str, list[IndexModel]] = {
    "playground_sessions": [
        IndexModel([("pipeline_id", 1), ("user_key", 1), ("org", 1)], unique=True),
        IndexModel([("outbox_at", 1)], partialFilterExpression={"outbox_at": {"$exists": True}}),
        IndexModel([("reply.owner", 1)], sparse=True),
        IndexModel([("forgotten_at", 1)], partialFilterExpression={"forgotten_at": {"$exists": True}}),
    ]
}
TRIES = 3
MANY = 100
FORGOTTEN = "forgotten:"


class PlaygroundStore(ReplyingStore[PlaygroundSession]):
    """Reads and writes sessions. A forgotten one is nobody's, and goes when nothing of it is left."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        super().__init__(database, "playground_sessions", PlaygroundSession)

    async def mine(self, pipeline_id: Id, *, user_key: str, org: str) -> PlaygroundSession | None:
        """Return a user's session of a pipeline, None when there is none."""
        with guard():
            row = await self._documents.find_one(
                {"pipeline_id": pipeline_id, "user_key": user_key, "org": org}
            )
        return self._read(row) if row else None

    async def obtain(self, session: PlaygroundSession, outbox: Sequence[Pending]) -> PlaygroundSession:
        """Store a session with its first events unless its user has one of the pipeline; return that one."""
        document = to_document(session)
        document |= {"outbox": [p.model_dump() for p in outbox], "outbox_at": session.created_at}
        key = {name: document[name] for name in ("pipeline_id", "user_key", "org")}
        for _ in range(TRIES):
            with guard():
                try:
                    row = await self._documents.find_one_and_update(
                        key,
                        {"$setOnInsert": document},
                        upsert=True,
                        return_document=ReturnDocument.AFTER,
                    )
                    return self._read(row)
                except DuplicateKeyError:  # somebody else's upsert came first
                    continue
        raise Unavailable("The session is being made elsewhere; try again.")

    async def access(self, session_id: Id) -> tuple[str, str, Id] | None:
        """Return a session's user, organisation and pipeline, None when there is no such session."""
        fields = ("user_key", "org", "pipeline_id")
        with guard():
            row = await self._documents.find_one({"_id": session_id}, projection=dict.fromkeys(fields, 1))
        return (row["user_key"], row["org"], row["pipeline_id"]) if row else None

    async def of_pipelines(self, pipeline_ids: Sequence[Id]) -> list[PlaygroundSession]:
        """Return sessions of pipelines that are not forgotten yet, some at a time, without what was said."""
        query = {"pipeline_id": {"$in": list(pipeline_ids)}, "forgotten_at": {"$exists": False}}
        with guard():
            found = self._documents.find(query, projection={"chat_messages": 0, "outbox": 0})
            rows = await found.to_list(MANY)
        return [self._read(row) for row in rows]

    async def forget(self, session_id: Id, outbox: Sequence[Pending]) -> list[Pending] | None:
        """Take a session from its user, with all that was said; None when that is done already.

        Its events are to be published and its room emptied before it is dropped.
        """
        emptied = {
            "user_key": FORGOTTEN + session_id,
            "forgotten_at": utc_now(),
            "chat_messages": [],
            "size": 0,
            "llm_params": LlmParams().model_dump(),
            "retrieval_params": RetrievalParams().model_dump(),
        }
        return await self.change(
            session_id,
            when={"forgotten_at": {"$exists": False}},
            update={"$set": emptied, "$unset": {"reply": 1}},
            outbox=outbox,
        )

    async def forgotten(self) -> list[Id]:
        """Return forgotten sessions whose events are all in their logs, oldest first."""
        query = {"forgotten_at": {"$exists": True}, "outbox_at": {"$exists": False}}
        with guard():
            found = self._documents.find(query, projection={"_id": 1}).sort("forgotten_at", 1)
            return [row["_id"] for row in await found.to_list(MANY)]

    async def drop(self, session_ids: Sequence[Id], *, seconds: float) -> None:
        """Remove those sessions that were forgotten so many seconds ago."""
        before: datetime = utc_now() - timedelta(seconds=seconds)
        with guard():
            await self._documents.delete_many(
                {"_id": {"$in": list(session_ids)}, "forgotten_at": {"$lt": before}}
            )


def to_document(session: PlaygroundSession) -> dict[str, Any]:
    """Return a session as MongoDB stores it; null settings stay, because they are no defaults."""
    document = session.model_dump(exclude={"reply", "forgotten_at"})
    return {"_id": document.pop("id"), **document}
