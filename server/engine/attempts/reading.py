"""Reads attempts, chats, messages and grades back: one's own, or all of the organisation (socket-v5 §10)."""

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

from schemas.attempt import Attempt, Chat, Message
from schemas.envelope import Id
from schemas.grade import Grade
from schemas.stored import Owner
from server.engine.access import Identity
from server.engine.attempts.proceed import own_room
from server.engine.attempts.views import attempt_view, chat_row, chat_whole
from server.engine.conversation.chat_place import room_of
from server.errors import NotFound
from server.rooms.hub import Hub
from server.rooms.place import Place
from server.store import Store
from server.store.pages import Page

Row = dict[str, Any]
Query = dict[str, Any]
PartKind = Literal["message", "grade"]
PARALLEL = 8
_HEAD = {"owner": 1, "status": 1, "closed_at": 1, "created_at": 1}
_PARTS: dict[PartKind, tuple[str, str, type[Message | Grade]]] = {
    "message": ("messages", "id", Message),
    "grade": ("grades", "grade_id", Grade),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which page of a list, and what it is limited to."""

    limit: int
    cursor: str | None = None
    profile_id: Id | None = None
    attempt_id: Id | None = None
    chat_id: Id | None = None


class Reading:
    """What a caller may read; NotFound answers alike for what is missing and what belongs to others."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self._store = store
        self._hub = hub
        self._slots = asyncio.Semaphore(PARALLEL)

    async def attempts(self, caller: Identity, wanted: Wanted) -> Page[Row]:
        """Return a page of attempts, newest first."""
        query = _of_profile(visible(caller), wanted)
        page = await self._store.attempts.page(query, limit=wanted.limit, cursor=wanted.cursor)
        found = [Attempt.model_validate({**row, "id": row["_id"]}) for row in page.items]
        return Page([attempt_view(a) for a in found], page.next_cursor)

    async def attempt(self, caller: Identity, attempt_id: Id) -> Row:
        """Return an attempt; entries after its offset tell what happens to it from then on."""
        attempt = await self._attempt(caller, attempt_id)
        room = await self._hub.room(own_room(attempt))
        place = {"room": room.name, "epoch": self._hub.epoch, "offset": room.head}
        return {**attempt_view(await self._attempt(caller, attempt_id)), **place}  # read after the offset

    async def chats(self, caller: Identity, wanted: Wanted) -> Page[Row]:
        """Return a page of chats without their messages, newest first."""
        query = await self._of_chats(caller, wanted)
        page = await self._store.chats.page(
            query, limit=wanted.limit, cursor=wanted.cursor, projection={"created_at": 1}
        )
        chat_ids = [row["_id"] for row in page.items]
        places = await asyncio.gather(*(self._place(chat_id) for chat_id in chat_ids))
        heads = await self._heads(chat_ids)
        rows = [
            _row(place, heads[chat_id])
            for chat_id, place in zip(chat_ids, places, strict=True)
            if chat_id in heads
        ]
        return Page(rows, page.next_cursor)

    async def chat(self, caller: Identity, chat_id: Id) -> Row:
        """Return a chat with its messages and a running reply's text, all at one offset."""
        await self.check_chat(caller, chat_id)
        place = await self._place(chat_id)
        head = (await self._heads([chat_id])).get(chat_id)
        if head is None:
            raise _missing("chat")
        return chat_whole(_row(place, head), place.snapshot or {})

    async def parts(self, caller: Identity, kind: PartKind, wanted: Wanted) -> Page[Row]:
        """Return a page of messages or grades, newest first, each with its chat_id."""
        query = await self._of_chats(caller, wanted)
        field = _PARTS[kind][0]
        page = await self._store.chats.parts(field, query, limit=wanted.limit, cursor=wanted.cursor)
        return Page([_part(kind, row) for row in page.items], page.next_cursor)

    async def part(self, caller: Identity, kind: PartKind, part_id: Id) -> Row:
        """Return one message, or one grade with its groups, quotes, strengths and improvements."""
        field, key, _ = _PARTS[kind]
        query = {**visible(caller), f"{field}.{key}": part_id}
        found = await self._store.chats.page(
            query, limit=1, cursor=None, projection={"created_at": 1, f"{field}.$": 1}
        )
        if not found.items:
            raise _missing(kind)
        row = found.items[0]
        return _part(kind, {**row[field][0], "chat_id": row["_id"]})

    async def whole(self, caller: Identity, attempt_id: Id) -> tuple[Attempt, list[Chat]]:
        """Return an attempt and its chats as they are stored, in the order in which they were practised."""
        attempt = await self._attempt(caller, attempt_id)
        chat_ids = list(dict.fromkeys(e.chat_id for e in attempt.entries if e.chat_id))
        chats = {chat.id: chat for chat in await self._store.chats.of_attempt(chat_ids)}
        return attempt, [chats[chat_id] for chat_id in chat_ids if chat_id in chats]

    async def check_chat(self, caller: Identity, chat_id: Id) -> None:
        """Raise NotFound unless a caller may read a chat."""
        found = await self._store.chats.access(chat_id)
        if found is None or not may_read(caller, *found):
            raise _missing("chat")

    async def _attempt(self, caller: Identity, attempt_id: Id) -> Attempt:
        attempt = await self._store.attempts.get(attempt_id)
        if attempt is None or not may_read(caller, attempt.owner, attempt.org):
            raise _missing("attempt")
        return attempt

    async def _of_chats(self, caller: Identity, wanted: Wanted) -> Query:
        """Return the query for the chats that a list is limited to; an attempt may have reused older ones."""
        query = _of_profile(visible(caller), wanted)
        chat_ids: list[Id] | None = None
        if wanted.attempt_id is not None:
            attempt = await self._attempt(caller, wanted.attempt_id)
            chat_ids = [e.chat_id for e in attempt.entries if e.chat_id]
        if wanted.chat_id is not None:
            await self.check_chat(caller, wanted.chat_id)
            chat_ids = [c for c in (wanted.chat_id,) if chat_ids is None or c in chat_ids]
        return query if chat_ids is None else {**query, "_id": {"$in": chat_ids}}

    async def _place(self, chat_id: Id) -> Place:
        async with self._slots:
            return await self._hub.place(room_of(chat_id), after=None, epoch=None)

    async def _heads(self, chat_ids: list[Id]) -> dict[Id, Row]:
        page = await self._store.chats.page(
            {"_id": {"$in": chat_ids}}, limit=max(1, len(chat_ids)), cursor=None, projection=_HEAD
        )
        return {row["_id"]: row for row in page.items}


def visible(caller: Identity) -> Query:
    """Return the query for what a caller may read."""
    if caller.sees_all:
        return {"org": caller.org}
    return {"owner.kind": caller.kind, "owner.id": caller.id, "org": caller.org}


def may_read(caller: Identity, owner: Owner, org: str) -> bool:
    """Tell whether a caller may read what belongs to an owner of an organisation."""
    return caller.is_owner(owner, org) or (caller.sees_all and org == caller.org)


def _of_profile(query: Query, wanted: Wanted) -> Query:
    """Limit a query to the attempts or chats of one profile or guest."""
    return query if wanted.profile_id is None else {"$and": [query, {"owner.id": wanted.profile_id}]}


def _row(place: Place, head: Row) -> Row:
    return chat_row(place.snapshot or {}, head, place=(place.room, place.epoch, place.offset))


def _part(kind: PartKind, row: Row) -> Row:
    model = _PARTS[kind][2]
    shown: Row = model.model_validate(row).model_dump(mode="json")
    return {**shown, "chat_id": row["chat_id"]}


def _missing(kind: str) -> NotFound:
    return NotFound(f"There is no such {kind}, or it is not yours.")
