"""A Socket.IO server on a free port with the protocol's test profile, and raw clients of it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from server.errors import RateLimited
from server.transports.siblings import Siblings
from server.transports.socketio import profile
from server.transports.socketio.limits import Limits
from server.transports.socketio.origins import Origins
from server.transports.socketio.packets import SocketPacket
from server.transports.socketio.peer import Application, Client
from server.transports.socketio.protocol import SocketServer

PROFILE = replace(profile.LIMITS, upgrade_timeout=1.0, attachment_timeout=0.5, body_timeout=0.5)
AT_ONCE = 9.0  # on a machine that stalls; the limits of the product are 10 s and more
PATIENT = Limits(max_message=64 * 1024, rate=PROFILE.rate)


class Echo(profile.Echo):
    """The product's echo, which keeps what it has seen; it greets at once, so that order can be told."""

    def __init__(self) -> None:
        super().__init__(auth_after=0)
        self.clients: list[Client] = []
        self.gone: list[Client] = []
        self.events: list[SocketPacket] = []
        self.overflown = 0
        self.somebody_left = asyncio.Event()

    async def connect(self, client: Client, auth: dict[str, Any]) -> Callable[[], None]:
        self.clients.append(client)
        return await super().connect(client, auth)

    async def event(self, client: Client, event: SocketPacket) -> None:
        self.events.append(event)
        await super().event(client, event)

    def refuse(self, client: Client, event: SocketPacket, error: RateLimited) -> None:
        self.overflown += 1  # and goes on, as the product does

    def disconnected(self, client: Client) -> None:
        self.gone.append(client)
        self.somebody_left.set()


@dataclass
class Serving:
    """A running server and where it is."""

    server: SocketServer
    app: Any
    url: str
    http: aiohttp.ClientSession
    sockets: list[aiohttp.ClientWebSocketResponse] = field(default_factory=list)

    def path(self, transport: str = "polling", *, sid: str | None = None, eio: str = "4") -> str:
        known = f"&sid={sid}" if sid else ""
        return f"{self.url}/socket.io/?EIO={eio}&transport={transport}{known}"

    async def get(self, sid: str) -> tuple[int, str]:
        async with self.http.get(self.path(sid=sid)) as response:
            return response.status, await response.text()

    async def post(self, sid: str, body: str | bytes) -> tuple[int, str]:
        async with self.http.post(self.path(sid=sid), data=body) as response:
            return response.status, await response.text()

    async def open_polling(self) -> str:
        async with self.http.get(self.path()) as response:
            sid = orjson.loads((await response.text())[1:])["sid"]
            assert isinstance(sid, str)
            return sid

    async def open_websocket(
        self, sid: str | None = None, *, connect: str | None = None, **options: Any
    ) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket: of a new session the opening packet is read, and `connect` joins a namespace."""
        ws: aiohttp.ClientWebSocketResponse = await self.http.ws_connect(
            self.path("websocket", sid=sid), **options
        )
        self.sockets.append(ws)
        if sid is None:
            assert (await text(ws)).startswith("0")
        if connect is not None:
            await ws.send_str(connect)
            assert (await text(ws)).startswith("40")
            assert (await text(ws)).startswith("42")
        return ws

    async def gone(self) -> None:
        """Wait until the server has forgotten every session."""
        async with asyncio.timeout(AT_ONCE):
            while self.server.peers or self.server.eio.sockets:
                await asyncio.sleep(0)


@asynccontextmanager
async def serving(
    app: Application | None = None, *, limits: Limits = PROFILE, origins: tuple[str, ...] = ()
) -> AsyncIterator[Serving]:
    """Serve an application, by default the protocol's test profile."""
    application = app or Echo()
    alone = Siblings(f"test-{secrets.token_hex(4)}", Path())
    server = SocketServer(application, limits=limits, origins=Origins(origins), siblings=alone)
    site = web.Application()
    server.attach(site, "socket.io")
    runner = web.AppRunner(site, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            place = Serving(server=server, app=application, url=url, http=http)
            try:
                yield place
            finally:
                for ws in place.sockets:
                    ws._response.close()  # else the collector may find its connection before it, and warn
    finally:
        await server.close(patience=1)
        assert not server.eio.admission.addresses  # however each session has ended
        await runner.cleanup()


async def text(ws: aiohttp.ClientWebSocketResponse, *, pings: bool = False) -> str:
    """Return the next text message; pings are answered and skipped unless asked for."""
    while True:
        message = await ws.receive(timeout=5)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        if message.data != "2" or pings:
            return str(message.data)
        await ws.send_str("3")


async def closed(ws: aiohttp.ClientWebSocketResponse, *, pongs: bool = False) -> None:
    """Wait until the server has closed a WebSocket, whatever it sent before."""
    async with asyncio.timeout(AT_ONCE):
        while (message := await ws.receive()).type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            if pongs and message.data == "2":
                await ws.send_str("3")
