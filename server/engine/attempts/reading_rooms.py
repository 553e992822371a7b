"""Lists the rooms that one may follow, and reads their entries back (socket-v5 §3, §10)."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from schemas.envelope import iso
from server.engine.access import Access, Identity
from server.engine.attempts.reading import Wanted, visible
from server.engine.conversation.conversation import room_of
from server.errors import Gone
from server.rooms.catching import entry
from server.rooms.entry import Entry
from server.rooms.hub import Hub, Place
from server.store import Store
from server.store.pages import Page, encode_cursor

PARALLEL = 8
_ROW = {"owner": 1, "status": 1, "created_at": 1, "attempt_id": 1, "scenario.name": 1}
_START = encode_cursor(datetime(9000, 1, 1, tzinfo=UTC), "")  # before the newest chat
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
        """Return a page of rooms: the caller's own, then those of chats (`live`: open ones), newest first."""
        own: list[Row] = []
        limit = wanted.limit
        if wanted.cursor is None:
            own = [{"room": caller.key, "kind": caller.kind, **await self._head(caller.key)}]
            limit -= 1
            if limit == 0:
                return Page(own, _START)
        query = {**visible(caller), **({"status": "open"} if live else {})}
        page = await self._store.chats.page(query, limit=limit, cursor=wanted.cursor, projection=_ROW)
        rows = await asyncio.gather(*(self._chat(row) for row in page.items))
        return Page([*own, *rows], page.next_cursor)

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

    async def _head(self, room: str) -> Row:
        async with self._slots:
            return {"epoch": self._hub.epoch, "offset": (await self._hub.room(room)).head}
