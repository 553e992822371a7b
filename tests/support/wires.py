"""Socket.IO clients that speak the protocol themselves, packet by packet, over a WebSocket or by polling."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import aiohttp
import orjson

from tests.support.clients import PATIENCE, Recorder

Transport = Literal["websocket", "polling"]
SEPARATOR = "\x1e"


class Wire(Recorder):
    """A client that records every packet; `reading` ends when the server has closed the session."""

    def __init__(self, http: aiohttp.ClientSession, url: str, transport: Transport) -> None:
        super().__init__()
        self.packets: list[str] = []
        self.sid = ""
        self.reading: asyncio.Task[None]
        self._http = http
        self._url = f"{url}/socket.io/?EIO=4&transport={transport}"
        self._ws: aiohttp.ClientWebSocketResponse | None = None
        self._acks: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def open(self, token: str) -> None:
        """Open a session and connect to its namespace."""
        if "websocket" in self._url:
            self._ws = await self._http.ws_connect(self._url)
            opening = await self._ws.receive_str()
        else:
            (opening,) = await self._get()
        self.sid = orjson.loads(opening[1:])["sid"]
        if self._ws is None:
            self._url += f"&sid={self.sid}"
        self.reading = asyncio.create_task(self._read())
        await self._write("40" + orjson.dumps({"token": token}).decode())
        await self.until("connection_confirmed")

    async def call(self, event: str, **data: Any) -> dict[str, Any]:
        """Send an event and return its ack."""
        ack_id = str(len(self._acks))
        ack = self._acks[ack_id] = asyncio.get_running_loop().create_future()
        await self._write(f"42{ack_id}{orjson.dumps([event, data]).decode()}")
        async with asyncio.timeout(PATIENCE):
            answer: dict[str, Any] = await ack
            return answer

    async def send(self, event: str, **data: Any) -> dict[str, Any]:
        """Send an event that must succeed."""
        ack = await self.call(event, **data)
        assert ack["success"], ack
        return ack

    def deafen(self) -> None:
        """Read nothing more; soon the socket's buffers are full."""
        self.reading.cancel()

    async def close(self) -> None:
        """Cut the connection."""
        self.reading.cancel()
        await asyncio.gather(self.reading, return_exceptions=True)
        if self._ws is not None:
            await self._ws.close()

    async def _write(self, packet: str) -> None:
        if self._ws is not None:
            await self._ws.send_str(packet)
            return
        async with self._http.post(self._url, data=packet) as response:
            assert response.status == 200, await response.text()

    async def _read(self) -> None:
        if self._ws is None:
            while True:
                for packet in await self._get():
                    if packet == "1":
                        self.packets.append(packet)
                        return
                    await self._take(packet)
        async for message in self._ws:
            await self._take(message.data)

    async def _get(self) -> list[str]:
        async with self._http.get(self._url) as response:
            assert response.status == 200, await response.text()
            return (await response.text()).split(SEPARATOR)

    async def _take(self, packet: str) -> None:
        self.packets.append(packet)
        if packet == "2":
            await self._write("3")
        elif packet.startswith("42"):
            name, data, *_ = orjson.loads(packet[2:])
            self.record(name, data)
        elif packet.startswith("43"):
            start = packet.index("[")
            self._acks[packet[2:start]].set_result(orjson.loads(packet[start:])[0])


@asynccontextmanager
async def wire(
    url: str, token: str, transport: Transport = "websocket", *, fresh: bool = False
) -> AsyncIterator[Wire]:
    """Connect a client that is closed at the end; a `fresh` one opens a connection for each request."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=fresh)) as http:
        client = Wire(http, url, transport)
        await client.open(token)
        try:
            yield client
        finally:
            await client.close()
