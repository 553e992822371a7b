"""A server process under attack: how to reach it, and what can be seen of it from outside."""

import asyncio
import socket as stdsocket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from schemas.envelope import Id, Role
from server.engine.access import mint
from server.engine.ids import new
from tests.attacks.bystander import Bystander
from tests.scaled.cluster import Cluster
from tests.support.attempts import Talk, begin
from tests.support.clients import PATIENCE, Http, Socket, http_client, socket
from tests.support.program import Program
from tests.support.running import SECRET
from tests.transports.socketio.serving import text

HARMLESS = frozenset({"debug", "info", "warning"})
Wire = aiohttp.ClientWebSocketResponse


@dataclass(kw_only=True)
class Node:
    """One server process; `other` shares its database. What is opened while it is `attacked` is closed."""

    url: str
    program: Program
    log: Path
    cluster: Cluster
    bystander: Bystander
    other: "Node | None" = None
    base: float = 0
    victim_id: Id = field(default_factory=new)
    _http: aiohttp.ClientSession | None = None
    _opened: list[asyncio.StreamWriter] = field(default_factory=list)

    @asynccontextmanager
    async def attacked(self) -> AsyncIterator[None]:
        """Let an attack open as many connections as it wants to."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as self._http:
            if self.other is not None:
                self.other._http = self._http
            try:
                yield
            finally:
                for writer in self._opened:
                    writer.transport.abort()
                self._opened.clear()

    @property
    def http(self) -> aiohttp.ClientSession:
        """Return the client of the attack."""
        assert self._http is not None
        return self._http

    async def connection(self, *, small: bool = False) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a bare connection, if wanted one that takes little before it is read."""
        raw = stdsocket.socket()
        if small:
            raw.setsockopt(stdsocket.SOL_SOCKET, stdsocket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", int(self.url.rsplit(":", 1)[1])))
        reader, writer = await asyncio.open_connection(sock=raw, limit=1024 if small else 65536)
        self._opened.append(writer)
        return reader, writer

    async def exchange(self, request: bytes) -> bytes:
        """Send bytes over a connection of their own, and return all that is answered until it is closed."""
        reader, writer = await self.connection()
        writer.write(request)
        try:
            async with asyncio.timeout(PATIENCE):
                return await reader.read()
        except ConnectionResetError:
            return b""

    # --- what can be seen -------------------------------------------------------------------------------

    async def figure(self, name: str) -> float:
        """Return one of the figures of the process."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}/metrics") as response:
            lines = (await response.text()).splitlines()
        start = f"greenroom_{name} "
        return next((float(line[len(start) :]) for line in lines if line.startswith(start)), 0.0)

    async def ended(self, reason: str) -> float:
        """Return how many sockets have ended for a reason."""
        return await self.figure(f'connections_ended_total{{reason="{reason}",transport="socket"}}')

    async def connections(self) -> float:
        """Return how many clients are connected besides the bystander."""
        return await self.figure("connections") - self.base

    async def calm(self, *, within: float = 45) -> None:
        """Wait until every client but the bystander is forgotten."""
        async with asyncio.timeout(within):
            while await self.connections() > 0:
                await self.bystander.news()

    def memory(self, *, highest: bool = False) -> int:
        """Return the bytes of memory that the process has now, or the most since `forget_highest`."""
        name = "VmHWM:" if highest else "VmRSS:"
        lines = Path(f"/proc/{self.program.pid}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))

    def forget_highest(self) -> None:
        """Measure the highest use of memory from now on."""
        Path(f"/proc/{self.program.pid}/clear_refs").write_text("5")

    def logged(self) -> int:
        """Return the place in the log at which it ends now."""
        return self.log.stat().st_size

    def complaints(self, since: int) -> list[str]:
        """Return what the process has logged since a place that is an error, or no record at all."""
        lines = self.log.read_bytes()[since:].splitlines()
        return [line.decode(errors="replace") for line in lines if line.strip() and not _harmless(line)]

    # --- how to reach it --------------------------------------------------------------------------------

    def token(self, profile: Id | None = None, *, role: Role = "learner", org: str = "default") -> str:
        """Return a token, by default of somebody who was never here."""
        return mint(SECRET, role=role, profile_id=profile or new(), seconds=3600, org=org)

    def address(self, transport: str = "polling", *, eio: str = "4", sid: str | None = None) -> str:
        """Return the address of a transport."""
        known = f"&sid={sid}" if sid is not None else ""
        return f"{self.url}/socket.io/?EIO={eio}&transport={transport}{known}"

    async def websocket(self, token: str | None = None, *, url: str | None = None) -> Wire:
        """Connect over a bare WebSocket, and read up to the confirmation."""
        address = self.address("websocket").replace(self.url, url or self.url)
        wire = await self.http.ws_connect(address, max_msg_size=0)
        assert (await text(wire)).startswith("0")
        await wire.send_str("40" + orjson.dumps({"token": token or self.token()}).decode())
        while not (await text(wire)).startswith('42["connection_confirmed"'):
            pass
        return wire

    async def polling(self, token: str | None = None) -> str:
        """Connect by polling and return the session's id; without a token there is no CONNECT."""
        async with self.http.get(self.address()) as response:
            sid: str = orjson.loads((await response.read())[1:])["sid"]
        if token is not None:
            status, _ = await self.post(sid, "40" + orjson.dumps({"token": token}).decode())
            assert status == 200
        return sid

    async def post(self, sid: str, body: str | bytes, **headers: str) -> tuple[int, bytes]:
        """Send packets by polling."""
        async with self.http.post(self.address(sid=sid), data=body, headers=headers) as response:
            return response.status, await response.read()

    async def ask(
        self, event: str, data: object, *, token: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Post an event, as JSON or as the bytes that are given."""
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        body = data if isinstance(data, bytes) else orjson.dumps(data)
        address = f"{self.url}/socket/v5/client/{event}"
        async with self.http.post(address, data=body, headers={**sent, **(headers or {})}) as response:
            return response.status, await response.json()

    @asynccontextmanager
    async def client(
        self, profile: Id | None = None, *, role: Role = "learner", org: str = "default"
    ) -> AsyncIterator[Socket]:
        """Connect a real client."""
        async with socket(self.url, {"token": self.token(profile, role=role, org=org)}) as client:
            yield client

    @asynccontextmanager
    async def streamer(self, profile: Id | None = None, *, role: Role = "learner") -> AsyncIterator[Http]:
        """Connect a client with a stream."""
        async with http_client(self.url, token=self.token(profile, role=role)) as client:
            await client.connect()
            yield client

    @asynccontextmanager
    async def victim(self) -> AsyncIterator[Talk]:
        """Let somebody practise who has nothing to do with the attack."""
        async with self.client(self.victim_id) as client:
            yield await begin(client)


def _harmless(line: bytes) -> bool:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return record["level"] in HARMLESS and "exception" not in record and "traceback" not in record


async def call(wire: Wire, event: str, *args: object, number: int = 7) -> dict[str, Any]:
    """Send an event over a bare WebSocket and return its ack."""
    await wire.send_str(f"42{number}" + orjson.dumps([event, *args]).decode())
    return await acked(wire, number)


async def acked(wire: Wire, number: int = 7) -> dict[str, Any]:
    """Return the ack of an event that was sent over a bare WebSocket."""
    async with asyncio.timeout(PATIENCE):
        while not (packet := await text(wire)).startswith(f"43{number}["):
            pass
    ack: dict[str, Any] = orjson.loads(packet[packet.index("[") :])[0]
    return ack


def code_of(ack: dict[str, Any]) -> str:
    """Return why an event was refused."""
    assert ack["success"] is False, ack
    assert ack["error"]["message"]
    code: str = ack["error"]["code"]
    return code
