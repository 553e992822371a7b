"""After connects and drops of every kind, sockets, rooms, tasks and descriptors are back to the base."""

import asyncio
import socket as stdsocket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest_asyncio

from server.llm.scripted import ScriptedModel
from server.transports import keys
from server.transports.http_events import SESSIONS
from tests.conftest import Cast
from tests.support.clients import PATIENCE
from tests.support.running import Server, load_pack, practice, running, settings_for

EACH = 30
AT_ONCE = 10
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
Socket = aiohttp.ClientWebSocketResponse


@pytest_asyncio.fixture
async def server(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Server]:
    """Run a server that notices dead peers soon."""
    settings = settings_for(mongod_url, model[1], ping_interval=0.3, ping_timeout=0.2)
    async with running(settings) as (url, app):
        await load_pack(app)
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))


@dataclass
class Visitor:
    """Connects and is gone, in one of several ways."""

    url: str
    token: str
    chat_id: str

    @property
    def connect(self) -> str:
        return "40" + orjson.dumps({"token": self.token}).decode()

    @property
    def join(self) -> str:
        return "420" + orjson.dumps(["attempt_join", {"chat_id": self.chat_id}]).decode()

    def address(self, transport: str) -> str:
        return f"{self.url}/socket.io/?EIO=4&transport={transport}"

    async def joined(self, http: aiohttp.ClientSession) -> Socket:
        """Open a WebSocket that follows the chat."""
        ws = await http.ws_connect(self.address("websocket"), timeout=aiohttp.ClientWSTimeout(ws_close=0.1))
        await ws.receive_str()
        await ws.send_str(self.connect)
        await ws.send_str(self.join)
        while not (await ws.receive_str()).startswith("430"):
            pass
        return ws

    async def polling(self, http: aiohttp.ClientSession) -> str:
        """Open a polling session that follows the chat, and return its address."""
        async with http.get(self.address("polling")) as response:
            opened = orjson.loads((await response.read())[1:])
        address = f"{self.address('polling')}&sid={opened['sid']}"
        for packet in (self.connect, self.join):
            async with http.post(address, data=packet) as response:
                assert response.status == 200
        return address

    # --- the ways to go ---------------------------------------------------------------------------------

    async def says_goodbye(self) -> None:
        async with aiohttp.ClientSession() as http:
            ws = await self.joined(http)
            await ws.send_str("41")
            await ws.send_str("1")
            await ws.close()

    async def is_reset(self) -> None:
        async with aiohttp.ClientSession() as http:
            reset(await self.joined(http))

    async def says_nothing_more(self) -> None:
        async with aiohttp.ClientSession() as http:
            ws = await self.joined(http)
            while (await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                pass  # pings are not answered

    async def is_reset_while_connecting(self) -> None:
        async with aiohttp.ClientSession() as http:
            ws = await http.ws_connect(self.address("websocket"))
            await ws.send_str(self.connect)
            await ws.send_str(self.join)
            reset(ws)

    async def is_reset_before_the_handshake_is_answered(self) -> None:
        parts = urlsplit(self.url)
        for transport in ("polling", "websocket"):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
            request = f"GET /socket.io/?EIO=4&transport={transport} HTTP/1.1\r\nHost: x\r\n"
            if transport == "websocket":
                key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                request += "Connection: Upgrade\r\nUpgrade: websocket\r\n" + key
            writer.write(request.encode() + b"\r\n")
            await writer.drain()
            linger(writer.get_extra_info("socket"))
            writer.transport.abort()

    async def never_connects(self) -> None:
        async with (
            aiohttp.ClientSession() as http,
            http.get(self.address("polling")) as response,
        ):
            await response.read()

    async def stops_polling(self) -> None:
        async with aiohttp.ClientSession() as http:
            await self.polling(http)

    async def leaves_while_polling(self) -> None:
        async with aiohttp.ClientSession() as http:
            address = await self.polling(http)
            for _ in range(3):  # more than what is there to read: the last one waits
                get = asyncio.create_task(read(http, address))
                await asyncio.wait([get], timeout=0.05)
                get.cancel()
                await asyncio.gather(get, return_exceptions=True)

    async def cuts_its_stream(self) -> None:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.token}"}) as http:
            async with http.post(f"{self.url}/socket/v5/client/connect") as response:
                opened = await response.json()
            async with http.get(self.url + opened["stream"]) as response:
                await response.content.readline()
            headers = {"X-Session-Id": opened["session_id"]}
            async with http.post(f"{self.url}/socket/v5/client/disconnect", headers=headers) as response:
                assert response.status == 200


async def read(http: aiohttp.ClientSession, address: str) -> None:
    async with http.get(address) as response:
        await response.read()


def linger(raw: stdsocket.socket) -> None:
    raw.setsockopt(stdsocket.SOL_SOCKET, stdsocket.SO_LINGER, RESET_ON_CLOSE)


def reset(ws: Socket) -> None:
    """Cut a WebSocket without a goodbye."""
    linger(ws.get_extra_info("socket"))
    connection = ws._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.abort()


WAYS: tuple[Callable[[Visitor], Awaitable[None]], ...] = (
    Visitor.says_goodbye,
    Visitor.is_reset,
    Visitor.says_nothing_more,
    Visitor.is_reset_while_connecting,
    Visitor.is_reset_before_the_handshake_is_answered,
    Visitor.never_connects,
    Visitor.stops_polling,
    Visitor.leaves_while_polling,
    Visitor.cuts_its_stream,
)


def held(server: Server) -> dict[str, int]:
    """Count what a client may leave behind."""
    hub = server.app[keys.HUB]
    return {
        "sockets": server.app[keys.SOCKETS].connections,
        "live": sum(len(room.live) for room in hub._rooms.values()),
        "pumps": len(hub._pumps.followers),
        "sessions": len(server.app[SESSIONS]),
    }


def process(server: Server) -> dict[str, int]:
    """Count what this process holds; connections to the database are a pool, which grows by itself."""
    pool: object = server.app[keys.STORE].database.client.address
    peers = [peer(int(path.name)) for path in list(Path("/dev/fd").iterdir())]
    return {"tasks": len(asyncio.all_tasks()), "descriptors": sum(address != pool for address in peers)}


def peer(descriptor: int) -> object:
    """Return the address that a descriptor is connected to, None when it is to none."""
    try:
        raw = stdsocket.socket(fileno=descriptor)
    except OSError:
        return None  # no socket
    try:
        return raw.getpeername()
    except OSError:
        return None
    finally:
        raw.detach()


async def look(server: Server) -> None:
    """Ask the server something, which gives it the time to forget somebody."""
    async with aiohttp.ClientSession() as http, http.get(f"{server.url}/health/live") as response:
        assert response.status == 200


async def visit(server: Server, visitor: Visitor, times: int) -> None:
    """Come and go in every way, several at once, then wait until the server has forgotten all of them."""
    for way in WAYS:
        for _ in range(times // AT_ONCE):
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(way(visitor) for _ in range(AT_ONCE)))
    async with asyncio.timeout(PATIENCE):
        while any(held(server).values()):
            await look(server)


async def test_nothing_is_left_of_clients_that_went_in_any_way(server: Server, cast: Cast) -> None:
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {server.token(cast.learner_id)}"}
    ) as http:
        start = {"practice_id": practice("one")}
        async with http.post(f"{server.url}/socket/v5/client/attempt/start", json=start) as response:
            chat_id = (await response.json())["chat_id"]
    visitor = Visitor(server.url, server.token(cast.learner_id), chat_id)
    await visit(server, visitor, AT_ONCE)
    base = process(server)
    await visit(server, visitor, EACH)
    async with asyncio.timeout(PATIENCE):
        while any(n > base[name] for name, n in process(server).items()):
            await look(server)
