"""The Engine.IO server: handshakes, polling and WebSockets over aiohttp."""

import asyncio
import logging
import math
from collections import Counter
from typing import Any

import orjson
from aiohttp import web

from server.errors import RateLimited
from server.rooms.follower import LOW_WATER
from server.transports.admission import Admission, Place
from server.transports.doors import reconnect_in
from server.transports.siblings import NoSibling, Siblings
from server.transports.socketio.frames import CLOSE, Packet, ProtocolError, decode_payload, encode_payload
from server.transports.socketio.library import EngineBase
from server.transports.socketio.limits import Limits
from server.transports.socketio.origins import Origins
from server.transports.socketio.requests import Refused, answer, body_of, handshake_of, transport_of
from server.transports.socketio.socket import EngineSocket, hang_up
from server.transports.wire import bound

WS_CLOSE_SECONDS = 1.0


class EngineServer(EngineBase):  # type: ignore[misc] # the library has no types
    """Engine.IO 4 with exact deadlines, one writer per session and no task per session."""

    sockets: dict[str, EngineSocket]
    handlers: dict[str, Any]

    def __init__(
        self, *, limits: Limits, origins: Origins, siblings: Siblings, admission: Admission | None = None,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            async_mode="aiohttp", monitor_clients=False, logger=logging.getLogger("engineio"), **options
        )
        self.limits = limits
        self.origins = origins
        self.siblings = siblings
        self.admission = admission or Admission()
        self.ended: Counter[str] = Counter()
        self.draining = False

    def create_queue(self, *args: Any, **kwargs: Any) -> None:
        """Return nothing: the outbox takes the place of the library's queue."""

    def attach(self, app: web.Application, engineio_path: str = "engine.io") -> None:
        """Serve every method of the path, so that wrong ones get a clear answer."""
        app.router.add_route("*", f"/{engineio_path.strip('/')}/", self.handle_request)

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Answer an HTTP request or serve a WebSocket until it ends."""
        if not self.origins.allow(request):
            return web.json_response(
                {"code": 4, "message": "Forbidden: this origin is not allowed"}, status=403
            )
        if request.method == "OPTIONS":
            return self.origins.preflight(request)
        try:
            return await self._handle(request)
        except Refused as refused:
            return self._refusal(request, refused)

    def _refusal(self, request: web.Request, refused: Refused) -> web.Response:
        response = answer(
            request, refused.body,
            origins=self.origins, status=refused.status, content_type="application/json",
        )  # fmt: skip
        if refused.retry_after is not None:
            response.headers["Retry-After"] = str(math.ceil(refused.retry_after))
        return response

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        websocket = transport_of(request.query) == "websocket"
        sid = request.query.get("sid", "")
        if sid and sid not in self.sockets and (sibling := self.siblings.home_of(sid)) is not None:
            return await self._hand_over(request, sibling)
        socket = self._session(request)
        if socket is None:
            return await (self._open_websocket(request) if websocket else self._open_polling(request))
        if websocket:
            return await self._upgrade(request, socket)
        if socket.upgraded:
            raise Refused(3, "Bad request: the session has been upgraded to a WebSocket")
        return await (
            self._post(request, socket) if request.method == "POST" else self._poll(request, socket)
        )

    async def _hand_over(self, request: web.Request, sibling: str) -> web.StreamResponse:
        """Let the process that has the session answer; raises Refused when it is gone, with its sessions."""
        if request.method != "POST" and not request.content.at_eof():
            raise Refused(3, "Bad request: only a POST has a body")
        try:
            body = await body_of(request, self.limits) if request.method == "POST" else b""
            return await self.siblings.hand_over(request, sibling, body=bytes(body))
        except NoSibling as error:
            raise Refused(1, "Session ID unknown") from error
        except ProtocolError as error:
            raise Refused(3, f"Bad request: {error}") from error

    def _session(self, request: web.Request) -> EngineSocket | None:
        """Return the session of a request, None for a handshake; raises Refused."""
        query = request.query
        if query.get("EIO") != "4":
            raise Refused(5, "Unsupported protocol version: this server speaks Engine.IO 4 and Socket.IO 5")
        if "sid" not in query:
            if request.method != "GET":
                raise Refused(2, "Bad handshake method")
            if self.draining:
                raise Refused(
                    4, "Forbidden: the server is shutting down", status=503, retry_after=reconnect_in()
                )
            return None
        if (socket := self.sockets.get(query["sid"])) is None:
            raise Refused(1, "Session ID unknown")
        if request.method not in ("GET", "POST"):
            raise Refused(3, "Bad request: only GET and POST are known")
        return socket

    def admit(self, request: web.Request, place: Place) -> EngineSocket:
        """Make a session that has a place, and tell the Socket.IO server of it."""
        proof = handshake_of(request)
        sid = self.siblings.session_id(self.generate_id())
        address = self.origins.addresses.of(request)
        socket = EngineSocket(self, sid, remote=address, credentials=proof, place=place)
        if self.origins.split:
            socket.namespaces = self.origins.namespaces(request)
        self.sockets[socket.sid] = socket
        self.handlers["connect"](socket.sid, socket)
        return socket

    def deliver(self, socket: EngineSocket, data: str | bytes) -> None:
        """Hand a message to the Socket.IO server; raises ProtocolError."""
        self.handlers["message"](socket.sid, data)

    def gone(self, socket: EngineSocket, reason: str) -> None:
        """Forget a closed session and count why it ended."""
        socket.place.leave()
        if self.sockets.pop(socket.sid, None) is not None:
            self.ended[reason] += 1
            self.handlers["disconnect"](socket.sid, reason)

    async def _open_polling(self, request: web.Request) -> web.StreamResponse:
        socket = self.admit(request, self._place(request))
        socket.connected = True
        socket.outbox.send(self._opening(socket, upgrades=["websocket"]))
        return await self._poll(request, socket)

    async def _open_websocket(self, request: web.Request) -> web.StreamResponse:
        place = self._place(request)
        try:
            ws, wire = await self._websocket(request)
            if wire is not None:
                socket = self.admit(request, place)
                socket.open(wire, request.writer)
                socket.outbox.send(self._opening(socket, upgrades=[]))
                await socket.serve(ws, wire)
            return ws
        finally:
            place.leave()

    def _place(self, request: web.Request) -> Place:
        try:
            return self.admission.at_address(self.origins.addresses.of(request))
        except RateLimited as error:
            raise Refused(
                4, f"Forbidden: {error.message}", status=error.status, retry_after=error.retry_after
            ) from error

    async def _upgrade(self, request: web.Request, socket: EngineSocket) -> web.StreamResponse:
        ws, wire = await self._websocket(request)
        if wire is None:
            return ws
        if socket.closed or socket.upgraded or socket.moving:
            hang_up(wire)
        else:
            await socket.upgrade(ws, wire, request.writer)
        return ws

    async def _websocket(
        self, request: web.Request
    ) -> tuple[web.WebSocketResponse, asyncio.Transport | None]:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise Refused(3, "Bad request: a WebSocket needs an Upgrade header")
        ws = web.WebSocketResponse(
            compress=False,
            autoclose=False,
            autoping=False,  # by who reads: it would answer a flood of pings without a breath
            timeout=WS_CLOSE_SECONDS,
            max_msg_size=self.limits.max_message + 1,  # aiohttp refuses a message that reaches its limit
        )
        try:
            await ws.prepare(request)
        except ConnectionError as error:  # returned as it is, aiohttp could not end it
            raise Refused(3, "Bad request: the client is gone", status=499) from error
        wire = request.transport
        if wire is None or wire.is_closing():
            return ws, None
        bound(wire)
        wire.set_write_buffer_limits(high=LOW_WATER, low=LOW_WATER)  # for `drained`
        return ws, wire

    async def _poll(self, request: web.Request, socket: EngineSocket) -> web.StreamResponse:
        ready = asyncio.Event()
        if not socket.outbox.poll(ready.set):
            socket.shut("transport error", last=CLOSE)
            raise Refused(3, "Bad request: another GET of this session is open")
        try:
            await ready.wait()
        except asyncio.CancelledError:
            socket.shut("transport close")
            raise
        if request.transport is None or request.transport.is_closing():
            socket.shut("transport close")
            return web.Response(status=499)
        response = answer(request, encode_payload(socket.outbox.take()), origins=self.origins)
        try:
            await response.prepare(request)
            await response.write_eof()
        except ConnectionError:
            socket.shut("transport close")  # what was taken is lost: the client has to resume
        return response

    async def _post(self, request: web.Request, socket: EngineSocket) -> web.StreamResponse:
        if socket.posting:
            socket.shut("transport error", last=CLOSE)
            raise Refused(3, "Bad request: another POST of this session is open")
        socket.posting = True
        try:
            packets = decode_payload(await body_of(request, self.limits))
            for packet in packets:
                if not socket.closed:
                    socket.accept(packet)
        except ProtocolError as error:
            socket.shut("parse error", last=CLOSE)
            raise Refused(3, f"Bad request: {error}") from error
        except Refused as refused:
            socket.shut(refused.ends or "transport error", last=CLOSE)
            raise
        finally:
            socket.posting = False
        return answer(request, b"ok", origins=self.origins)

    def _opening(self, socket: EngineSocket, *, upgrades: list[str]) -> Packet:
        limits = self.limits
        opening = {
            "sid": socket.sid,
            "upgrades": upgrades,
            "pingInterval": round(limits.ping_interval * 1000),
            "pingTimeout": round(limits.ping_timeout * 1000),
            "maxPayload": limits.max_message,
        }
        return Packet(b"0" + orjson.dumps(opening))
