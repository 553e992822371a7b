"""A client that asks for recovery and keeps what an unmodified socket.io-client keeps."""

from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from server.store.sessions import Session
from tests.transports.socketio.product import Product, body
from tests.transports.socketio.serving import text

NOTE = ("attempt_progress", b"{}")


@dataclass
class Client:
    """What is kept between connections, and what has come so far; `ws` is the last connection."""

    auth: dict[str, Any] = field(default_factory=lambda: {"token": "ada", "recovery": True})
    pid: str | None = None
    sid: str | None = None
    offset: str | None = None
    confirmed: dict[str, Any] = field(default_factory=dict)
    got: list[tuple[str, int]] = field(default_factory=list)
    _ws: aiohttp.ClientWebSocketResponse | None = None

    @property
    def ws(self) -> aiohttp.ClientWebSocketResponse:
        """Return the WebSocket of the last connection."""
        assert self._ws is not None
        return self._ws

    @property
    def hello(self) -> str:
        """Return the CONNECT packet that brings back what is kept."""
        back = {"pid": self.pid, "offset": self.offset} if self.pid else {}
        return "40" + orjson.dumps({**back, **self.auth}).decode()

    async def connect(self, shop: Product) -> bool:
        """Connect; tells whether that recovered the session, as `socket.recovered` does."""
        return await self.open(await shop.serving.open_websocket())

    async def open(self, ws: aiohttp.ClientWebSocketResponse) -> bool:
        """Connect over a WebSocket that is open."""
        self._ws = ws
        await ws.send_str(self.hello)
        return self.welcomed(await text(ws), await text(ws))

    def welcomed(self, answer: str, confirmed: str) -> bool:
        """Take the first two packets; they agree on whether this is the same session."""
        assert answer.startswith("40{"), answer
        told = body(answer)
        name, self.confirmed = body(confirmed)
        recovered: bool = told["pid"] == self.pid
        assert (name, self.confirmed["recovered"]) == ("connection_confirmed", recovered)
        assert not recovered or told["sid"] == self.sid
        assert self.confirmed["sid"] == told["sid"]
        self.sid, self.pid = told["sid"], told["pid"]
        return recovered

    async def call(self, event: str, **data: Any) -> dict[str, Any]:
        """Send an event and return its ack, the next thing that comes."""
        await self.ws.send_str(f"421{orjson.dumps([event, data]).decode()}")
        ack = await text(self.ws)
        assert ack.startswith("431["), ack
        answer: dict[str, Any] = body(ack)[0]
        return answer

    async def read(self, count: int = 1) -> None:
        """Read entries."""
        for _ in range(count):
            self.take(await text(self.ws))

    def take(self, message: str) -> None:
        """Handle an entry: its last argument, if it is a string, is kept."""
        assert message.startswith("42["), message
        _, data, offset = body(message)
        assert isinstance(offset, str)
        self.got.append((data["room"], data["offset"]))
        self.offset = offset

    def of(self, room: str) -> list[int]:
        """Return the numbers of a room's entries in the order in which they came."""
        return [n for name, n in self.got if name == room]

    async def drop(self) -> None:
        """End the transport without a word of Socket.IO."""
        await self.ws.close()


async def stored(shop: Product, client: Client) -> Session | None:
    """Return the session of a client as any process would find it."""
    await shop.recovery.flush()
    assert client.pid is not None
    return await shop.store.sessions.find_socket(client.pid, within=120)


async def change(shop: Product, client: Client, **fields: Any) -> None:
    """Change the record of a client's session."""
    await shop.recovery.flush()
    found = await shop.store.database.sessions.update_one({"_id": client.pid}, {"$set": fields})
    assert found.matched_count == 1


async def follow_room(shop: Product, count: int = 2) -> Client:
    """Connect, join a room beside one's own, and read some entries of it."""
    ada = Client()
    assert not await ada.connect(shop)
    assert (await ada.call("join"))["success"]
    await shop.publish("room", *[NOTE] * count)
    await ada.read(count)
    return ada


async def poll(shop: Product, sid: str, count: int) -> list[str]:
    """Return what the next GETs of a polling session bring, at least so many packets."""
    packets: list[str] = []
    while len(packets) < count:
        status, payload = await shop.serving.get(sid)
        assert status == 200
        packets += payload.split("\x1e")
    return packets
