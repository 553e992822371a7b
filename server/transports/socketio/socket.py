"""One Engine.IO session: its deadlines, its transports and their upgrade."""

import asyncio
from contextlib import suppress
from typing import Any, Protocol

from aiohttp import WSMsgType, web
from aiohttp.abc import AbstractStreamWriter

from server.rooms.follower import LOW_WATER
from server.transports.admission import Place
from server.transports.socketio.frames import CLOSE, CLOSE_FRAME, PING, Packet, ProtocolError
from server.transports.socketio.library import SocketBase
from server.transports.socketio.limits import Limits
from server.transports.socketio.outbox import Outbox
from server.transports.wire import end

WATCH_SECONDS = 1.0
BREATHER = 32  # messages of a client after which the others have their turn
SOON_SECONDS = 0.001  # for 0 uvloop returns a handle that is no timer
LATE_SECONDS = 0.002  # by which timers may come late: a session is gone when the client was told it would be


class Credentials(Protocol):
    """What a handshake carried to prove who connects."""

    @property
    def token(self) -> str | None:
        """Return a JWT or an API key."""

    @property
    def api_key(self) -> str | None:
        """Return an API key."""


class Host(Protocol):
    """What a session needs of its server."""

    limits: Limits

    def deliver(self, socket: "EngineSocket", data: str | bytes) -> None:
        """Take a message, text or binary; raises ProtocolError."""

    def gone(self, socket: "EngineSocket", reason: str) -> None:
        """Forget a session that is closed."""


class EngineSocket(SocketBase):  # type: ignore[misc] # the library has no types
    """An Engine.IO session without tasks of its own: its outbox writes, its request's handler reads."""

    server: Host
    sid: str
    closed: bool
    upgraded: bool
    # of the class, so that they take no memory where nobody watches
    opened = 0.0  # when, in seconds since 1970
    ended = ""  # why
    namespaces: frozenset[str] | None = None  # that the page it comes from may connect to; None for all

    def __init__(
        self, host: Host, sid: str, *, remote: str, credentials: Credentials | None, place: Place
    ) -> None:
        super().__init__(host, sid)
        self.remote = remote
        self.credentials = credentials
        self.place = place
        self.outbox = Outbox(self)
        self.posting = False
        self._loop = asyncio.get_running_loop()
        self._wire: asyncio.Transport | None = None
        self._candidate: asyncio.Transport | None = None
        self._writer: AbstractStreamWriter | None = None
        self._taken: asyncio.Event | None = None
        self._ping_due = self._loop.call_later(host.limits.ping_interval, self._ping)
        self._pong_due = False

    async def serve(self, ws: web.WebSocketResponse, wire: asyncio.Transport) -> None:
        """Read from a WebSocket that was opened by `open` until it ends, then close the session."""
        taken = 0
        while not self.closed:
            message = await ws.receive()  # does not wait while there is more: who floods must not have it all
            taken += 1
            if taken % BREATHER == 0:
                await asyncio.sleep(0)
            if message.type is WSMsgType.PING:
                await _pong(ws, message.data)
            elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self._take(message.data)
            elif message.type is not WSMsgType.PONG:
                break
        self.shut("transport close")
        hang_up(wire)
        await ws.close()
        _forget_frames(ws.exception())

    def _take(self, packet: str | bytes) -> None:
        if self.closed:
            return  # by another task, in the breather
        try:
            self.accept(packet)
        except ProtocolError:
            self.shut("parse error")

    def open(self, wire: asyncio.Transport, writer: AbstractStreamWriter) -> None:
        """Speak over a WebSocket from the start."""
        self.connected = self.upgraded = True
        self._wire, self._writer = wire, writer
        self.outbox.open(wire)

    async def upgrade(
        self, ws: web.WebSocketResponse, wire: asyncio.Transport, writer: AbstractStreamWriter
    ) -> None:
        """Move from polling to a WebSocket; when that fails or takes too long, polling goes on."""
        self._candidate = wire
        deadline = self._loop.call_later(self.server.limits.upgrade_timeout, wire.abort)
        try:
            self.upgraded = await self._agree(ws, wire, writer)
        finally:
            deadline.cancel()
            self._candidate = None
            self.outbox.fall_back()
        if self.upgraded:
            await self.serve(ws, wire)
        hang_up(wire)

    @property
    def moving(self) -> bool:
        """Tell whether a WebSocket has been opened for an upgrade."""
        return self._candidate is not None

    async def _agree(
        self, ws: web.WebSocketResponse, wire: asyncio.Transport, writer: AbstractStreamWriter
    ) -> bool:
        if await _text(ws) != "2probe" or self.closed:
            return False
        self.outbox.probe(wire)
        if await _text(ws) != "5" or self.closed:
            return False
        self._wire, self._writer = wire, writer
        self.outbox.upgrade()
        return True

    def accept(self, packet: str | bytes) -> None:
        """Take a packet from the client; raises ProtocolError."""
        if isinstance(packet, bytes):
            self.server.deliver(self, packet)
            return
        kind = packet[:1]
        if kind == "4":
            self.server.deliver(self, packet[1:])
        elif kind == "3":
            self._pong()
        elif kind == "1":
            self.shut("client disconnect")
        elif kind != "6":
            raise ProtocolError("a packet that only servers send, or none at all")

    def shut(self, reason: str, *, last: Packet | None = None) -> None:
        """Close the session once: what was sent so far still goes out, then `last` if a GET is open."""
        if self.closed:
            return
        self._end()
        self.outbox.close(None if self.upgraded else last)
        if self._wire is not None:
            hang_up(self._wire)
        if self._candidate is not None:
            hang_up(self._candidate)
        self.server.gone(self, reason)

    def cut(self, reason: str) -> None:
        """Abort the transports of a session at once; use `abort` from outside."""
        if self.closed:
            return
        self._end()
        for wire in (self._wire, self._candidate):
            if wire is not None:
                wire.abort()
        self.server.gone(self, reason)

    def abort(self, reason: str) -> None:
        """Drop what waits and cut the session."""
        self.outbox.abort(reason)

    def probe(self) -> None:
        """Ping now, unless a pong is due already; without one the session ends as after any ping."""
        if not self._pong_due and not self.closed:
            self._ping_due.cancel()
            self._ping_due = self._loop.call_later(SOON_SECONDS, self._ping)

    @property
    def silent(self) -> bool:
        """Tell whether a pong is due."""
        return self._pong_due

    async def drained(self) -> None:
        """Return once little waits for the client, or the session has ended. Cancelling is safe.

        Waits for the WebSocket's transport, whose marks are the followers' low water, or for GETs.
        """
        while not self.closed and self.outbox.size > LOW_WATER:
            if self._writer is not None:
                with suppress(ConnectionError):
                    await self._writer.drain()
                return
            if self._taken is None:
                self._taken = asyncio.Event()
                self.outbox.taken = self._taken.set
            self._taken.clear()
            await self._taken.wait()

    def now(self) -> float:
        """Return the loop's time, for the outbox."""
        return self._loop.time()

    def watch(self) -> None:
        """Look at the outbox every second while it asks for it."""
        self._loop.call_later(WATCH_SECONDS, self._tick)

    async def send(self, pkt: Any) -> None:
        """Send a packet of the library's own class, for its public `send`."""
        self.outbox.send(Packet(pkt.data, binary=True) if pkt.binary else Packet(pkt.encode().encode()))

    async def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:
        """Close the session, for the library's public `disconnect`."""
        self.shut(reason or "server disconnect", last=CLOSE)

    def schedule_ping(self) -> None:
        """Do nothing: pings are timers here, not tasks."""

    def _end(self) -> None:
        self.closing = self.closed = True
        self._ping_due.cancel()

    def _tick(self) -> None:
        if self.outbox.tick():
            self.watch()

    def _ping(self) -> None:
        self._pong_due = True
        self.outbox.send(PING)
        timeout = self.server.limits.ping_timeout
        sent = max(self._ping_due.when(), self._loop.time() - timeout / 10)  # it was late by a little
        self._ping_due = self._loop.call_at(sent + timeout - LATE_SECONDS, self._timed_out)

    def _pong(self) -> None:
        if self._pong_due:
            self._pong_due = False
            self._ping_due.cancel()
            self._ping_due = self._loop.call_later(self.server.limits.ping_interval, self._ping)

    def _timed_out(self) -> None:
        timeout = self.server.limits.ping_timeout
        if self._loop.time() - self._ping_due.when() > timeout / 4:
            # this process was held up: the pong may have come and not been read
            self._ping_due = self._loop.call_later(timeout / 10, self._timed_out)
            return
        self.shut("ping timeout", last=CLOSE)


def hang_up(wire: asyncio.Transport) -> None:
    """Close a WebSocket after what was written; a peer that does not read is cut after a moment."""
    end(wire, CLOSE_FRAME)


def _forget_frames(error: BaseException | None) -> None:
    """Let go of the frames in which a WebSocket broke: they hold it, and it holds its exception.

    Without such cycles what a connection took is free when it ends, and no collection has to find it.
    """
    while error is not None:
        error.__traceback__, error = None, error.__context__


async def _text(ws: web.WebSocketResponse) -> str | None:
    while (message := await ws.receive()).type is WSMsgType.PING:
        await _pong(ws, message.data)
        await asyncio.sleep(0)
    return message.data if message.type is WSMsgType.TEXT else None


async def _pong(ws: web.WebSocketResponse, data: bytes) -> None:
    with suppress(ConnectionError):  # `receive` tells that the client is gone
        await ws.pong(data)
