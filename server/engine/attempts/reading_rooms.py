"""Lists the rooms that one may follow, and reads their entries back (socket-v5 §3, §10)."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from schemas.batch import JobState
from schemas.envelope import iso
from server.engine.access import Access, Identity
from server.engine.attempts.reading import Wanted, visible
from server.engine.batch.rooms import batch_room
from server.engine.conversation.chat_place import room_of
from server.engine.evaluator.rooms import result_room
from server.engine.replay.rooms import test_room
from server.errors import Gone
from server.rooms.catching import entry
from server.rooms.entry import Entry
from server.rooms.families import ops_room, wire_name
from server.rooms.hub import Hub
from server.rooms.place import Place
from server.store import Store
from server.store.pages import Page, decode_cursor, encode_cursor
from server.store.tests import UNFINISHED

PARALLEL = 8
_CHAT = {"owner": 1, "status": 1, "created_at": 1, "attempt_id": 1, "scenario.name": 1}
_TEST = dict.fromkeys(
    ("owner", "created_at", "test_id", "agent.name", "closed", "infinite_mode", "counted", "total_runs"), 1
)
_JOB = dict.fromkeys(("owner", "created_at", "name", "state"), 1)
_GOING: tuple[JobState, ...] = ("queued", "running")
_FIRST, _SECOND = datetime(9001, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)  # newer than all else
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """Some entries of a room in order, and the number to go on after, None at the head."""

    items: list[Entry]
    next_after: int | None
    epoch: str
    offset: int


class ReadingRooms:
    """The rooms of a caller; NotFound answers alike for what is missing and what may not be followed."""

    def __init__(self, store: Store, hub: Hub, access: Access) -> None:
        self._store = store
        self._hub = hub
        self._access = access
        self._slots = asyncio.Semaphore(PARALLEL)

    async def page(self, caller: Identity, wanted: Wanted, *, live: bool) -> Page[Row]:
        """Return a page of rooms: the caller's own and `ops`, then all others, newest first.

        `live` leaves out closed chats, invocations with nothing left to run, and ended jobs and results.
        """
        pages = await asyncio.gather(*self._pages(caller, wanted, live=live))
        found = self._standing(caller, wanted.cursor) + [row for page in pages for row in page.items]
        found.sort(key=lambda row: (row["created_at"], row["_id"]), reverse=True)
        taken = found[: wanted.limit]
        more = len(found) > len(taken) or any(page.next_cursor for page in pages)
        last = encode_cursor(taken[-1]["created_at"], taken[-1]["_id"]) if more else None
        return Page(list(await asyncio.gather(*(self._shown(row) for row in taken))), last)

    def _pages(self, caller: Identity, wanted: Wanted, *, live: bool) -> list[Awaitable[Page[Row]]]:
        """Return the pages to merge; they share the cursor."""
        mine = visible(caller)
        limit, cursor = wanted.limit, wanted.cursor
        chats = {**mine, **({"status": "open"} if live else {})}
        pages: list[Awaitable[Page[Row]]]
        pages = [self._store.chats.page(chats, limit=limit, cursor=cursor, projection=_CHAT)]
        if caller.sees_all:
            tests = {**mine, **(UNFINISHED if live else {})}
            pages.append(self._store.invocations.page(tests, limit=limit, cursor=cursor, projection=_TEST))
            jobs = {**mine, **({"state": {"$in": list(_GOING)}} if live else {})}
            pages.append(self._store.jobs.page(jobs, limit=limit, cursor=cursor, projection=_JOB))
            pages.append(self._store.evaluator_results.rooms(jobs, limit=limit, cursor=cursor))
        return pages

    def _standing(self, caller: Identity, cursor: str | None) -> list[Row]:
        """Return the rooms that are always there, as if they were the newest."""
        rows: list[Row] = [{"_id": caller.key, "kind": caller.kind, "created_at": _FIRST}]
        if caller.operates:
            rows.append({"_id": ops_room(caller.org), "kind": "ops", "created_at": _SECOND})
        after = decode_cursor(cursor)[0] if cursor is not None else None
        return [row for row in rows if after is None or row["created_at"] < after]

    async def get(self, caller: Identity, room: str) -> Place:
        """Return a room's place with its snapshot."""
        name = await self._access.check_may_follow(caller, room)
        return await self._hub.place(name, after=None, epoch=None)

    async def entries(self, caller: Identity, room: str, *, after: int | None, limit: int) -> Entries:
        """Return entries after a number; without one from the first that is kept. Raises Gone before that."""
        room = await self._access.check_may_follow(caller, room)
        head = (await self._hub.room(room)).head
        floor = await self._store.entries.floor(room)
        if after is not None and after < floor:
            raise Gone(f"after: entries up to {floor} are not kept any more; go on after {floor}.")
        start = floor if after is None else after
        rows = await self._store.entries.page(room, after=start, upto=head, limit=limit)
        last = rows[-1].n if rows else head
        return Entries(
            items=[entry(row) for row in rows],
            next_after=last if last < head else None,
            epoch=self._hub.epoch,
            offset=head,
        )

    async def _shown(self, row: Row) -> Row:
        if "scenario" in row:
            return await self._chat(row)
        if "result" in row:
            return await self._result(row)
        if "agent" in row:
            return await self._test(row)
        if "state" in row:
            return await self._job(row)
        room = row["_id"]
        return {"room": wire_name(room), "kind": row["kind"], **await self._head(room)}

    async def _chat(self, row: Row) -> Row:
        room = room_of(row["_id"])
        return {
            "room": room,
            "kind": "attempt",
            "chat_id": row["_id"],
            "attempt_id": row["attempt_id"],
            "name": row["scenario"]["name"],
            "owner": row["owner"],
            "status": row["status"],
            "created_at": iso(row["created_at"]),
            **await self._head(room),
        }

    async def _test(self, row: Row) -> Row:
        room = test_room(row["_id"])
        finished = row["closed"] or (not row["infinite_mode"] and row["counted"] >= row["total_runs"])
        return {
            "room": room,
            "kind": "test",
            "invocation_id": row["_id"],
            "test_id": row["test_id"],
            "name": row["agent"]["name"],
            "owner": row["owner"],
            "status": "closed" if finished else "open",
            "created_at": iso(row["created_at"]),
            **await self._head(room),
        }

    async def _job(self, row: Row) -> Row:
        room = batch_room(row["_id"])
        return {
            "room": room,
            "kind": "batch",
            "job_id": row["_id"],
            "name": row["name"],
            "owner": row["owner"],
            "status": "open" if row["state"] in _GOING else "closed",
            "created_at": iso(row["created_at"]),
            **await self._head(room),
        }

    async def _result(self, row: Row) -> Row:
        room = result_room(row["result"])
        return {
            "room": room,
            "kind": "evaluator",
            "result_id": row["result"],
            "name": row["name"],
            "owner": row["owner"],
            "status": "open" if row["state"] in _GOING else "closed",
            "created_at": iso(row["created_at"]),
            **await self._head(room),
        }

    async def _head(self, room: str) -> Row:
        async with self._slots:
            return {"epoch": self._hub.epoch, "offset": (await self._hub.room(room)).head}
