"""The product's application, served over real rooms, with people and answers of the tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from server.dispatch import Answer, Caller
from server.engine.access import Identity
from server.engine.ids import new
from server.errors import Unauthenticated, Unavailable
from server.rooms.bell import LocalBell
from server.rooms.connection import Connection
from server.rooms.hub import Hub
from server.rooms.process import Process
from server.rooms.snapshot import Snapshots
from server.store import Store, connect
from server.transports.socketio.limits import Limits
from server.transports.socketio.recovery import Recovery
from server.transports.socketio.sessions import Sessions
from tests.support.databases import databases
from tests.transports.socketio.serving import PATIENT, Serving, serving, text

ADA = Identity(kind="profile", id=new(), role="learner")
BEN = Identity(kind="profile", id=new(), role="author")


@dataclass
class Door:
    """Knows some people by their tokens, and lets guests in."""

    people: dict[str, Identity] = field(default_factory=lambda: {"ada": ADA, "ben": BEN})
    seen: list[tuple[str | None, str | None, str | None]] = field(default_factory=list)
    away: bool = False
    hangs: bool = False
    closed: set[str] = field(default_factory=set)

    async def authenticate(self, *, token: str | None, api_key: str | None, guest_id: str | None) -> Identity:
        self.seen.append((token, api_key, guest_id))
        if self.away:
            raise Unavailable("The database is away.")
        if self.hangs:
            await asyncio.Event().wait()
        if token is None and api_key is None:
            return Identity(kind="guest", id=guest_id or new(), role="learner")
        person = self.people.get(token or api_key or "")
        if person is None:
            raise Unauthenticated("The token is not valid.")
        return person

    async def may_follow(self, caller: Identity, room: str) -> bool:
        return room not in self.closed


class Desk:
    """Answers events: `echo` with its data, `slow` when told to, `tell` with notices; the rest use rooms."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, object, Identity]] = []
        self.go = asyncio.Event()

    async def __call__(self, event: str, data: object, caller: Caller) -> Answer:
        self.calls.append((event, data, caller.identity))
        if event == "slow":
            await self.go.wait()
        if event in ("join", "enter", "leave") and caller.connection is not None:
            return await self._room(event, data, caller.connection)
        notices = [("attempt_error", b'{"message":"no"}')] if event == "tell" else []
        if not isinstance(data, dict):
            return Answer(ack=b'{"success":false,"error":{"code":"bad_request"}}')
        return Answer(ack=orjson.dumps({"success": True, "data": data}), notices=notices)

    async def _room(self, event: str, data: object, connection: Connection) -> Answer:
        room = data.get("room", "room") if isinstance(data, dict) else "room"
        if event == "leave":
            return Answer(ack=b'{"success":%s}' % (b"true" if await connection.leave(room) else b"false"))
        if event == "enter":
            await connection.enter(room, until=frozenset({"attempt_chat_ended"}))
            return Answer(ack=b'{"success":true}')
        joined = await connection.join(room, after=0, epoch=None, marker=None)
        return Answer(ack=b'{"success":true,"offset":%d}' % joined.place.offset, after=joined.start)


@dataclass
class Product:
    """A serving product and its parts."""

    serving: Serving
    door: Door
    desk: Desk
    hub: Hub
    store: Store
    process: Process
    recovery: Recovery

    async def publish(self, room: str, *events: tuple[str, bytes]) -> None:
        await asyncio.gather(*(self.hub.log.publish(room, name, data) for name, data in events))

    async def join(self, auth: str = '{"token":"ada"}') -> aiohttp.ClientWebSocketResponse:
        ws = await self.serving.open_websocket()
        await ws.send_str("40" + auth)
        assert (await text(ws)).startswith('40{"sid":')
        assert (await text(ws)).startswith('42["connection_confirmed"')
        return ws


@asynccontextmanager
async def product(
    mongod_url: str, limits: Limits = PATIENT, *, database: str | None = None
) -> AsyncIterator[Product]:
    """Serve the product's application over a real hub, with people and answers of the test."""
    store = connect(mongod_url, database or databases.name(mongod_url))
    await store.prepare()
    process = Process(f"test-{new()[:8]}", store.processes)
    await process.beat()
    snapshots = Snapshots(store.entries, {}, epoch=lambda: process.epoch)
    bell = LocalBell(process.name)
    hub = Hub(store.entries, process=process, bell=bell, snapshots=snapshots)
    parts = [asyncio.create_task(hub.log.run()), asyncio.create_task(process.run())]
    door, desk = Door(), Desk()
    recovery = Recovery(hub, store=store.sessions, bell=bell, process=process, may_follow=door.may_follow)
    sessions = Sessions(hub=hub, access=door, dispatch=desk, recovery=recovery, limits=limits)
    try:
        async with serving(sessions, limits=limits) as running:
            yield Product(
                serving=running,
                door=door,
                desk=desk,
                hub=hub,
                store=store,
                process=process,
                recovery=recovery,
            )
        await recovery.close(patience=1)
    finally:
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        await hub.close()
        store.close()


def body(message: str) -> Any:
    """Return the JSON of a packet."""
    return orjson.loads(message[min(message.index(c) for c in "[{" if c in message) :])
