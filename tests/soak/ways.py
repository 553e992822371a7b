"""The ways in which the clients of the soak come and go: those of the leak test, and some more."""

import asyncio
import socket as stdsocket
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from tests.recovery.test_leaks import WAYS, Socket, Visitor, linger, reset
from tests.support.hole import Hole
from tests.support.passing import passes

Way = Callable[["Guest"], Awaitable[None]]
SAID = "x" * 30_000  # in the chat, so in each of its snapshots
SNAPSHOTS = 12  # more than the kernel's buffers and the server's patience hold


class Guest(Visitor):
    """A visitor that knows a hole in which it can vanish."""

    def __init__(self, url: str, token: str, chat_id: str, *, hole: Hole) -> None:
        super().__init__(url, token, chat_id)
        self._hole = hole
        self._vanished: list[asyncio.StreamWriter] = []

    def end(self) -> None:
        """Close what has vanished."""
        for writer in self._vanished:
            writer.transport.abort()
        self._vanished.clear()

    async def abandons_an_upgrade(self) -> None:
        """Probe a WebSocket, and never say that it is to be used."""
        async with aiohttp.ClientSession() as http:
            address = await self.polling(http)
            ws = await http.ws_connect(address.replace("polling", "websocket"))
            await ws.send_str("2probe")
            await ws.receive_str()
            reset(ws)

    async def upgrades_and_is_reset(self) -> None:
        async with aiohttp.ClientSession() as http:
            address = await self.polling(http)
            ws = await http.ws_connect(address.replace("polling", "websocket"))
            await ws.send_str("2probe")
            await ws.receive_str()
            await ws.send_str("5")
            reset(ws)

    async def leaves_the_namespace(self) -> None:
        """Say 41, and stay until the server ends it."""
        async with aiohttp.ClientSession() as http:
            ws = await self.joined(http)
            await ws.send_str("41")
            while (message := await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                if message.data == "2":
                    await ws.send_str("3")

    async def breaks_the_protocol(self) -> None:
        async with aiohttp.ClientSession() as http:
            ws = await self.joined(http)
            await ws.send_str("42{}")
            while (await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                pass

    async def comes_back(self) -> None:
        """Follow with recovery, be reset, come back by the last string, and be reset again."""
        async with aiohttp.ClientSession() as http:
            ws, opened, _ = await self._recovering(http)
            join = ["attempt_join", {"chat_id": self.chat_id, "after": 0}]
            await ws.send_str("420" + orjson.dumps(join).decode())
            last = await found(ws, '42["attempt_assistant_complete"')
            reset(ws)
            place = {"pid": opened["pid"], "offset": orjson.loads(last[2:])[2]}
            ws, again, confirmed = await self._recovering(http, **place)
            assert (again["sid"], confirmed["recovered"]) == (opened["sid"], True)
            reset(ws)

    async def _recovering(
        self, http: aiohttp.ClientSession, **place: str
    ) -> tuple[Socket, dict[str, Any], dict[str, Any]]:
        """Connect with recovery; return the connection, its session, and the confirmation."""
        ws = await http.ws_connect(self.address("websocket"))
        auth = {"token": self.token, "recovery": True, **place}
        await ws.send_str("40" + orjson.dumps(auth).decode())
        opened = await found(ws, "40{")
        confirmed = await found(ws, '42["connection_confirmed"')
        return ws, orjson.loads(opened[2:]), orjson.loads(confirmed[2:])[1]

    async def never_reads(self) -> None:
        """Ask for more than the connection takes, live on, and read nothing until the server cuts it."""
        reader, writer = await self._small()
        writer.write(self._upgrade())
        await reader.readuntil(b"\r\n\r\n")
        leave = "421" + orjson.dumps(["attempt_leave", {"chat_id": self.chat_id}]).decode()
        writer.write(_masked(self.connect) + (_masked(self.join) + _masked(leave)) * SNAPSHOTS)
        while not writer.transport.is_closing():
            writer.write(_masked("3"))
            await passes(0.2, because="who is cut learns it when it writes")

    async def drops_its_stream(self) -> None:
        """Be reset in the middle of a stream; the session itself is ended."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            async with http.post(f"{self.url}/socket/v5/client/connect") as response:
                opened = await response.json()
            reader, writer = await self._small()
            writer.write(f"GET {opened['stream']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            linger(writer.get_extra_info("socket"))
            writer.transport.abort()
            session = {"X-Session-Id": opened["session_id"]}
            async with http.post(f"{self.url}/socket/v5/client/disconnect", headers=session) as response:
                assert response.status == 200

    async def vanishes(self) -> None:
        """Join through the hole, which swallows all that follows."""
        reader, writer = await self._small(self._hole.url)
        self._vanished.append(writer)
        writer.write(self._upgrade())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_masked(self.connect) + _masked(self.join))
        await reader.read(1)
        self._hole.swallow(writer.get_extra_info("sockname")[1])

    async def _small(self, url: str | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(url or self.url)
        raw = stdsocket.socket()
        raw.setsockopt(stdsocket.SOL_SOCKET, stdsocket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, (parts.hostname, parts.port))
        return await asyncio.open_connection(sock=raw, limit=1024)

    def _upgrade(self) -> bytes:
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        head = "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        return f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n{head}{key}\r\n".encode()


async def found(ws: Socket, start: str) -> str:
    """Read up to a packet that starts so, and return it; pings are answered."""
    while not (packet := await ws.receive_str()).startswith(start):
        if packet == "2":
            await ws.send_str("3")
    return packet


def _masked(text: str) -> bytes:
    """Return a frame of a client, masked by zeros."""
    payload = text.encode()
    return bytes([0x81, 0xFE]) + len(payload).to_bytes(2, "big") + bytes(4) + payload


ALL: tuple[Way, ...] = (
    *WAYS,
    Guest.abandons_an_upgrade,
    Guest.upgrades_and_is_reset,
    Guest.leaves_the_namespace,
    Guest.breaks_the_protocol,
    Guest.comes_back,
    Guest.never_reads,
    Guest.drops_its_stream,
    Guest.vanishes,
)
