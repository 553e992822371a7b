"""What authors keep for evaluators: agents, scenarios and what belongs to them, one collection for all.

A body is stored as the JSON that it was: whatever its keys are, the database reads no meaning into them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from motor.motor_asyncio import AsyncIOMotorCursor, AsyncIOMotorDatabase
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from schemas.envelope import JsonObject, utc_now
from schemas.evaluator import ResourceKind, StoredResource
from server.errors import TooLarge
from server.store.guard import guard

MOST_BYTES = 64 * 1024 * 1024  # of bodies that one reading returns
NAMED = 5  # of what uses something
INDEXES: dict[str, list[IndexModel]] = {
    "evaluator_resources": [
        IndexModel([("org", 1), ("kind", 1), ("number", 1)], unique=True),
        IndexModel([("org", 1), ("kind", 1), ("agent", 1), ("number", 1)]),
        IndexModel([("org", 1), ("refs", 1)]),
        IndexModel(
            [("org", 1), ("assistant_id", 1)],
            unique=True,
            partialFilterExpression={"assistant_id": {"$exists": True}},
        ),
    ]
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """A body with what it is found by: its agent, tags, and `refs` such as "metrics/5"."""

    body: JsonObject
    agent: int | None = None
    assistant_id: str | None = None
    tags: Collection[str] = ()
    refs: Collection[str] = field(default_factory=tuple)


class EvaluatorResourceStore:
    """Reads and writes resources of an organisation; foreign ones are as good as missing."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._resources = database.evaluator_resources

    async def insert(
        self, kind: ResourceKind, number: int, *, org: str, keyed: Keyed
    ) -> StoredResource | None:
        """Store a new resource and return it; None when another agent has its assistant_id."""
        now = utc_now()
        made = StoredResource(id=number, kind=kind, org=org, body=keyed.body, created_at=now, updated_at=now)
        return made if await self.restore(made, keyed) else None

    async def restore(self, stored: StoredResource, keyed: Keyed) -> bool:
        """Store a resource as it is; False when it is there, or another agent has its assistant_id."""
        row = {
            "_id": f"{stored.kind}/{stored.id}",
            "number": stored.id,
            **stored.model_dump(include={"kind", "org", "version", "created_at", "updated_at"}),
            **_fields(keyed),
        }
        with guard():
            try:
                await self._resources.insert_one(row)
            except DuplicateKeyError:
                return False
        return True

    async def write(self, stored: StoredResource, keyed: Keyed) -> bool | None:
        """Replace a resource as it was read; False when it has changed since, None as `insert` has it."""
        mine = {"_id": f"{stored.kind}/{stored.id}", "org": stored.org, "version": stored.version}
        fields = _fields(keyed)
        absent = {name: "" for name in ("agent", "assistant_id") if name not in fields}
        change: dict[str, Any] = {"$set": {**fields, "updated_at": utc_now()}, "$inc": {"version": 1}}
        with guard():
            try:
                result = await self._resources.update_one(
                    mine, {**change, "$unset": absent} if absent else change
                )
            except DuplicateKeyError:
                return None
        return result.matched_count == 1

    async def get(self, kind: ResourceKind, number: int, *, org: str) -> StoredResource | None:
        """Return a resource, None when there is none."""
        with guard():
            row = await self._resources.find_one({"_id": f"{kind}/{number}", "org": org})
        return _read(row) if row else None

    async def many(
        self, kind: ResourceKind, numbers: Iterable[int], *, org: str
    ) -> dict[int, StoredResource]:
        """Return resources by their numbers; those that do not exist are left out."""
        query = {"org": org, "kind": kind, "number": {"$in": list(numbers)}}
        found = await _bounded(self._resources.find(query))
        return {stored.id: stored for stored in found}

    async def known(self, names: Iterable[str], *, org: str) -> set[str]:
        """Return which resources exist, of names such as "metrics/5"."""
        query = {"_id": {"$in": list(names)}, "org": org}
        with guard():
            rows = await self._resources.find(query, projection={"_id": 1}).to_list(None)
        return {row["_id"] for row in rows}

    async def of_assistant(self, assistant_id: str, *, org: str) -> StoredResource | None:
        """Return the agent with an assistant_id, None when there is none."""
        with guard():
            row = await self._resources.find_one({"org": org, "assistant_id": assistant_id})
        return _read(row) if row else None

    async def first(
        self, kind: ResourceKind, *, org: str, agent: int | None, tags: Sequence[str] = (), limit: int
    ) -> list[StoredResource]:
        """Return the first resources by number, of an agent, with any of some tags."""
        query = _query(kind, org=org, agent=agent)
        if tags:
            query["tags"] = {"$in": list(tags)}
        return await _bounded(self._resources.find(query).sort("number", 1).limit(limit))

    async def page(
        self, kind: ResourceKind, *, org: str, agent: int | None, skip: int, limit: int
    ) -> tuple[int, list[StoredResource]]:
        """Return how many there are and some of them, newest first."""
        query = _query(kind, org=org, agent=agent)
        with guard():
            count = await self._resources.count_documents(query)
        if skip >= count:
            return count, []
        return count, await _bounded(self._resources.find(query).sort("number", -1).skip(skip).limit(limit))

    async def delete(self, kind: ResourceKind, number: int, *, org: str) -> bool:
        """Remove a resource; False when there was none."""
        with guard():
            result = await self._resources.delete_one({"_id": f"{kind}/{number}", "org": org})
        return result.deleted_count == 1

    async def using(self, kind: ResourceKind, number: int, *, org: str) -> list[StoredResource]:
        """Return some of the resources that refer to one."""
        query = {"org": org, "refs": f"{kind}/{number}"}
        with guard():
            rows = await self._resources.find(query).sort("number", 1).limit(NAMED).to_list(NAMED)
        return [_read(row) for row in rows]


async def _bounded(cursor: AsyncIOMotorCursor[dict[str, Any]]) -> list[StoredResource]:
    """Return resources; raises TooLarge before they fill the memory."""
    found: list[StoredResource] = []
    held = 0
    with guard():
        async for row in cursor:
            held += len(row["body"])
            if held > MOST_BYTES:
                raise TooLarge(f"They come to more than {MOST_BYTES // 2**20} MB; ask for fewer at once.")
            found.append(_read(row))
    return found


def _query(kind: ResourceKind, *, org: str, agent: int | None) -> dict[str, Any]:
    query: dict[str, Any] = {"org": org, "kind": kind}
    return query if agent is None else {**query, "agent": agent}


def _fields(keyed: Keyed) -> dict[str, Any]:
    """Return what of a row changes with its body; what is None must be absent, for the indexes."""
    found = {"agent": keyed.agent, "assistant_id": keyed.assistant_id}
    return {
        "body": orjson.dumps(keyed.body),
        "tags": list(keyed.tags),
        "refs": list(keyed.refs),
        **{name: value for name, value in found.items() if value is not None},
    }


def _read(row: dict[str, Any]) -> StoredResource:
    return StoredResource(
        id=row["number"],
        kind=row["kind"],
        org=row["org"],
        body=orjson.loads(row["body"]),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
