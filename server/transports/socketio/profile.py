"""The protocol profile: the echo with short deadlines that the public protocol suites are run against."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from server.errors import RateLimited
from server.transports.doors import SHUTDOWN
from server.transports.rates import Rate
from server.transports.siblings import Siblings
from server.transports.socketio.engine import EngineServer
from server.transports.socketio.frames import CLOSE, Packet
from server.transports.socketio.limits import Limits
from server.transports.socketio.origins import Origins
from server.transports.socketio.packets import SocketPacket
from server.transports.socketio.peer import Client
from server.transports.socketio.protocol import SocketServer

LIMITS = Limits(
    ping_interval=0.3,
    ping_timeout=0.2,
    connect_timeout=1.0,
    max_message=1_000_000,
    rate=Rate(per_second=1e6, burst=1_000_000),
)
AUTH_SECONDS = 0.02  # the suites take packets one by one and miss one that comes with its predecessor
PATIENCE_SECONDS = 1.0


class Echo:
    """Sends `message` back as `message-back`, acknowledges `message-with-ack`, both with what they carried.

    Whoever connects is sent `auth` with what it connected with, `auth_after` seconds later, or at once for 0.
    """

    namespaces = ("/", "/custom")

    def __init__(self, *, auth_after: float = AUTH_SECONDS) -> None:
        self._auth_after = auth_after

    async def connect(self, client: Client, auth: dict[str, Any]) -> Callable[[], None]:
        """Let everybody in."""

        def greet() -> None:
            if client.peer.clients.get(client.namespace) is client:
                _written(client, lambda: client.emit("auth", auth))

        def soon() -> None:
            asyncio.get_running_loop().call_later(self._auth_after, greet)

        return soon if self._auth_after else greet

    async def event(self, client: Client, event: SocketPacket) -> None:
        """Answer an event."""
        ack_id = event.ack_id
        if event.name == "message":
            _written(client, lambda: client.emit("message-back", *event.args))
        elif event.name == "message-with-ack" and ack_id is not None:
            _written(client, lambda: client.answer(ack_id, *event.args))

    def refuse(self, client: Client, event: SocketPacket, error: RateLimited) -> None:
        """Close the session: an echo that leaves something out would be none."""
        client.peer.socket.shut("too many packets", last=CLOSE)

    def draining(self, client: Client) -> None:
        """Do nothing: whoever tests the protocol expects no event that it did not ask for."""

    def disconnected(self, client: Client) -> None:
        """Do nothing: nothing is kept of a client."""


def _written(client: Client, write: Callable[[], None]) -> None:
    """Write something that a client has sent, or close: JSON is read deeper than it is written."""
    try:
        write()
    except TypeError:
        client.peer.socket.shut("parse error", last=CLOSE)


class EngineEcho(EngineServer):
    """Sends each message back as it came, without Socket.IO."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.on("connect", lambda sid, socket: None)
        self.on("message", self._echo)
        self.on("disconnect", lambda sid, reason: None)

    def close(self) -> None:
        """Close every session and admit no more."""
        self.draining = True
        for socket in list(self.sockets.values()):
            socket.shut(SHUTDOWN, last=CLOSE)

    def _echo(self, sid: str, data: str | bytes) -> None:
        packet = Packet(data, binary=True) if isinstance(data, bytes) else Packet(b"4" + data.encode())
        self.sockets[sid].outbox.send(packet)


class ProtocolProfile:
    """Serves Socket.IO at /socket.io/ and a bare Engine.IO at /engine.io/; for protocol tests only."""

    def __init__(self) -> None:
        parts: dict[str, Any] = {"limits": LIMITS, "origins": Origins(()), "siblings": Siblings("", Path())}
        self._socketio = SocketServer(Echo(), **parts)
        self._engineio = EngineEcho(**parts)

    def attach(self, app: web.Application) -> None:
        """Serve until the application stops."""
        self._socketio.attach(app, "socket.io")
        self._engineio.attach(app, "engine.io")
        app.on_shutdown.append(self._stop)

    async def _stop(self, app: web.Application) -> None:
        self._engineio.close()
        await self._socketio.close(patience=PATIENCE_SECONDS)
