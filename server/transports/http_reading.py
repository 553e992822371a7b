"""Attempts, chats, messages, grades and rooms over HTTP, to be read back (socket-v5 §10)."""

from dataclasses import asdict
from typing import Any, Final

import orjson
from aiohttp import web

from schemas.envelope import Id
from server.engine.attempts.reading import PartKind, Reading
from server.engine.attempts.reading_rooms import ReadingRooms
from server.engine.replay.reading import ReplayReading
from server.errors import NotFound
from server.rooms.entry import Entry
from server.rooms.families import wire_name
from server.store.pages import Page
from server.transports import keys
from server.transports.documents.query import Number, PageLimit
from server.transports.documents.shapes import EntriesPlace, EntryRow, RoomRow, RoomWhole
from server.transports.documents.shapes_chats import ATTEMPT, ATTEMPT_ITEM, SAID, ChatRow, ChatWhole
from server.transports.documents.told import Page as ListPage
from server.transports.documents.told import told
from server.transports.http_errors import json_response
from server.transports.http_query import flag_of, id_of, limit_of, number_of, wanted_of
from server.transports.http_requests import identify

PARTS: dict[str, PartKind] = {"messages": "message", "grades": "grade"}


def attach(app: web.Application) -> None:
    """Add the addresses of what is read back."""
    store, hub = app[keys.STORE], app[keys.HUB]
    rooms = ReadingRooms(store, hub, app[keys.ACCESS])
    reading = HttpReading(Reading(store, hub), rooms, tests=ReplayReading(store, hub))
    parts = f"/api/v1/{{part:{'|'.join(PARTS)}}}"
    app.router.add_get("/api/v1/attempts", reading.attempts)
    app.router.add_get("/api/v1/attempts/{id}", reading.attempt)
    app.router.add_get("/api/v1/chats", reading.chats)
    app.router.add_get("/api/v1/chats/{id}", reading.chat)
    app.router.add_get(parts, reading.parts)
    app.router.add_get(parts + "/{id}", reading.part)
    app.router.add_get("/api/v1/rooms", reading.rooms)
    app.router.add_get("/api/v1/rooms/{room}", reading.room)
    app.router.add_get("/api/v1/rooms/{room}/entries", reading.entries)


LIMITS: Final = ("profile_id", "attempt_id", "chat_id")


class HttpReading:
    """Handlers of everything that people did."""

    def __init__(self, reading: Reading, rooms: ReadingRooms, *, tests: ReplayReading) -> None:
        self._reading = reading
        self._rooms = rooms
        self._tests = tests

    @told(ListPage(ATTEMPT_ITEM), query={"limit": PageLimit, "cursor": str, "profile_id": Id})
    async def attempts(self, request: web.Request) -> web.Response:
        """Answer a page of attempts."""
        return _page(await self._reading.attempts(await identify(request), wanted_of(request, "profile_id")))

    @told(ATTEMPT)
    async def attempt(self, request: web.Request) -> web.Response:
        """Answer an attempt."""
        return json_response(await self._reading.attempt(await identify(request), id_of(request)))

    @told(
        ListPage(ChatRow),
        query={"limit": PageLimit, "cursor": str, **dict.fromkeys(LIMITS, Id)},
    )
    async def chats(self, request: web.Request) -> web.Response:
        """Answer a page of chats."""
        return _page(await self._reading.chats(await identify(request), wanted_of(request, *LIMITS)))

    @told(ChatWhole)
    async def chat(self, request: web.Request) -> web.Response:
        """Answer a chat with its messages."""
        return json_response(await self._reading.chat(await identify(request), id_of(request)))

    @told(
        ListPage(SAID),
        query={"limit": PageLimit, "cursor": str, **dict.fromkeys(LIMITS, Id)},
    )
    async def parts(self, request: web.Request) -> web.Response:
        """Answer a page of messages or grades."""
        kind = PARTS[request.match_info["part"]]
        return _page(await self._reading.parts(await identify(request), kind, wanted_of(request, *LIMITS)))

    @told(SAID)
    async def part(self, request: web.Request) -> web.Response:
        """Answer a message, or the grade of a chat or of a run."""
        kind = PARTS[request.match_info["part"]]
        caller, key = await identify(request), id_of(request)
        try:
            return json_response(await self._reading.part(caller, kind, key))
        except NotFound:
            if kind != "grade":
                raise
        return json_response(await self._tests.grade(caller, key))

    @told(ListPage(RoomRow), query={"limit": PageLimit, "cursor": str, "live": bool})
    async def rooms(self, request: web.Request) -> web.Response:
        """Answer a page of the rooms that one may follow."""
        caller = await identify(request)
        return _page(await self._rooms.page(caller, wanted_of(request), live=flag_of(request, "live")))

    @told(RoomWhole)
    async def room(self, request: web.Request) -> web.Response:
        """Answer a room's offset with its snapshot."""
        place = asdict(await self._rooms.get(await identify(request), request.match_info["room"]))
        shown = {name: place[name] for name in ("epoch", "offset", "snapshot")}
        return json_response({"room": wire_name(place["room"]), **shown})

    @told(
        ListPage(EntryRow, plus=EntriesPlace), query={"limit": PageLimit, "after": Number, "cursor": Number}
    )
    async def entries(self, request: web.Request) -> web.Response:
        """Answer entries of a room, oldest first; `next_cursor` is the number to go on after."""
        caller = await identify(request)
        name = "cursor" if request.query.get("cursor") else "after"
        found = await self._rooms.entries(
            caller, request.match_info["room"], after=number_of(request, name), limit=limit_of(request)
        )
        following = None if found.next_after is None else str(found.next_after)
        items = [_entry(e) for e in found.items]
        return json_response(
            {"items": items, "next_cursor": following, "epoch": found.epoch, "offset": found.offset}
        )


def _page(page: Page[dict[str, Any]]) -> web.Response:
    return json_response({"items": page.items, "next_cursor": page.next_cursor})


def _entry(entry: Entry) -> dict[str, object]:
    """Return an entry with its payload exactly as sockets get it."""
    room, data = wire_name(entry.room), orjson.loads(entry.data)
    return {"room": room, "offset": entry.n, "at": entry.at, "name": entry.name, "data": data}
