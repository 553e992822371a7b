"""The Socket.IO side of one Engine.IO session: its namespaces and its queue of events."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from typing import Any, Protocol

import orjson
import structlog

from server.errors import RateLimited
from server.transports.rates import Bucket
from server.transports.socketio import packets
from server.transports.socketio.frames import CLOSE, Packet, ProtocolError
from server.transports.socketio.limits import Limits
from server.transports.socketio.packets import Assembly, SocketPacket
from server.transports.socketio.socket import EngineSocket

log = structlog.get_logger(__name__)
EVENTS = (packets.EVENT, packets.BINARY_EVENT)


class Refusal(Exception):
    """A connection that is not let in; `data` tells programs what the message tells people."""

    def __init__(self, message: str, *, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.body = {"message": message} if data is None else {"message": message, "data": data}


class Client:
    """A peer's connection to one namespace; `session` belongs to the application.

    The application may change `sid`, and set `pid` for a client that can come back into its session. `left`
    tells that the client said goodbye; closing the transport is none, for libraries do that after errors too.
    """

    __slots__ = ("left", "namespace", "peer", "pid", "session", "sid")

    def __init__(self, peer: "Peer", namespace: str, sid: str) -> None:
        self.peer = peer
        self.namespace = namespace
        self.sid = sid
        self.pid: str | None = None
        self.left = False
        self.session: Any = None

    def emit(self, name: str, *args: Any) -> None:
        """Send an event; bytes in it become attachments."""
        for packet in packets.encode(packets.EVENT, self.namespace, [name, *args]):
            self.peer.socket.outbox.send(packet)

    def answer(self, ack_id: bytes, *args: Any) -> None:
        """Acknowledge an event; bytes become attachments, orjson.Fragment is taken as it is."""
        for packet in packets.encode(packets.ACK, self.namespace, args, ack_id=ack_id):
            self.peer.socket.outbox.send(packet)


class Application(Protocol):
    """What is served over Socket.IO."""

    @property
    def namespaces(self) -> Collection[str]:
        """Return the namespaces that clients may connect to."""

    async def connect(self, client: Client, auth: dict[str, Any]) -> Callable[[], None]:
        """Let a client in; what is returned runs right after its CONNECT was answered. Raises Refusal."""

    async def event(self, client: Client, event: SocketPacket) -> None:
        """Handle one event and answer it; the client's next one waits for this."""

    def refuse(self, client: Client, event: SocketPacket, error: RateLimited) -> None:
        """Answer an event that is not handled, because there are too many."""

    def draining(self, client: Client) -> None:
        """Tell a client that the process is about to stop."""

    def disconnected(self, client: Client) -> None:
        """Forget a client. Called again after its last event, in case that event joined something."""


class Peer:
    """One session's namespaces; packets are handled one after the other, pongs and overflow beside them.

    Packets beyond the rate are refused; acks and pongs do not count, and pieces of a stream have a rate of
    their own. A client whose events were refused for ten seconds, with no second between two refusals, is
    disconnected. A task exists only while something is queued.
    """

    __slots__ = (
        "_app", "_assembly", "_bucket", "_closed", "_deadline", "_limits", "_new_id", "_queue", "_refusals",
        "_stream", "_worker", "clients", "socket",
    )  # fmt: skip

    def __init__(
        self, socket: EngineSocket, *, app: Application, limits: Limits, new_id: Callable[[], str]
    ) -> None:
        self.socket = socket
        self.clients: dict[str, Client] = {}
        self._app = app
        self._limits = limits
        self._new_id = new_id
        self._assembly: Assembly | None = None
        self._bucket = Bucket(limits.rate, socket.now())
        self._queue: deque[SocketPacket] | None = None
        self._worker: asyncio.Task[None] | None = None
        self._refusals = 0
        self._stream: Bucket | None = None
        self._closed = False
        self._deadline: asyncio.TimerHandle | None = None
        self._allow(limits.connect_timeout)

    def receive(self, data: str | bytes) -> None:
        """Take a message; raises ProtocolError."""
        if isinstance(data, bytes) or self._assembly is not None:
            packet = self._attachment(data)
        else:
            packet = packets.parse(data)
            if packet.attachments:
                self._expect(packet)
                return
        if packet is not None and packet.kind not in (packets.ACK, packets.BINARY_ACK):
            if packet.name == self._limits.stream and packet.kind in EVENTS:
                self._take_streamed(packet)
                return
            seconds = self._bucket.take(self.socket.now())
            if seconds:
                self._limit(packet, seconds)
            else:
                self._enqueue(packet)

    def _take_streamed(self, packet: SocketPacket) -> None:
        """Take a piece of a stream; what comes too fast is dropped, the oldest that waits first."""
        if self._stream is None:
            self._stream = Bucket(self._limits.stream_rate, self.socket.now())
        if self._stream.take(self.socket.now()):
            return
        queue = self._queue
        if queue is not None and len(queue) >= self._limits.max_queued:
            oldest = next((waiting for waiting in queue if waiting.name == packet.name), None)
            if oldest is None:
                return
            queue.remove(oldest)
        self._enqueue(packet)

    def close(self) -> None:
        """Forget the clients of a session that is gone; events that were received are still handled."""
        self._closed = True
        self._allow(None)
        for client in self.clients.values():
            self._app.disconnected(client)
        if self._worker is None:
            self.clients.clear()

    @property
    def worker(self) -> asyncio.Task[None] | None:
        """Return the task that handles what is queued."""
        return self._worker

    def _expect(self, packet: SocketPacket) -> None:
        limits = self._limits
        self._assembly = Assembly(
            packet,
            max_attachments=limits.max_attachments,
            max_bytes=limits.max_attachment_bytes,
            max_depth=limits.max_json_depth,
        )
        self._allow(limits.attachment_timeout)

    def _attachment(self, data: str | bytes) -> SocketPacket | None:
        if self._assembly is None or isinstance(data, str):
            raise ProtocolError("a binary message outside of a packet, or text inside of one")
        packet = self._assembly.add(data)
        if packet is not None:
            self._assembly = None
            self._allow(None if self.clients else self._limits.connect_timeout)
        return packet

    def _limit(self, packet: SocketPacket, seconds: float) -> None:
        """Refuse a packet that came too early, after the answers to what came before it."""
        if self._queue is None or packet.kind not in EVENTS:
            self._refuse_event(packet, self._limits.rate.refusal(seconds))
        else:
            self._enqueue(packet._replace(args=(), retry_after=seconds))
        if self._bucket.over_for >= self._limits.over_seconds:
            log.info("client stayed over its event rate", address=self.socket.remote)
            self.socket.shut("rate limited", last=CLOSE)

    def _refuse_event(self, packet: SocketPacket, error: RateLimited) -> None:
        client = self.clients.get(packet.namespace)
        if client is None or packet.kind not in EVENTS:
            raise ProtocolError("too many packets")
        self._app.refuse(client, packet, error)

    def _enqueue(self, packet: SocketPacket) -> None:
        queue = self._queue
        if queue is not None and len(queue) >= self._limits.max_queued:
            message = f"{self._limits.max_queued} events are waiting already; wait for their acks."
            self._refuse_event(packet, RateLimited(message, retry_after=1.0))
            return
        if queue is None:
            queue = self._queue = deque()
        queue.append(packet)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
            self._worker.add_done_callback(self._worked)

    async def _work(self) -> None:
        try:
            while self._queue:
                await self._handle(self._queue.popleft())
        finally:
            # in the tick that found the queue empty: the next packet starts anew
            self._worker = self._queue = None

    async def _handle(self, packet: SocketPacket) -> None:
        if packet.kind == packets.CONNECT:
            await self._connect(packet)
        elif (client := self.clients.get(packet.namespace)) is None:
            self.socket.shut("parse error", last=CLOSE)
        elif packet.retry_after is not None:
            self._app.refuse(client, packet, self._limits.rate.refusal(packet.retry_after))
        elif packet.kind == packets.DISCONNECT:
            self._leave(client)
        else:
            await self._app.event(client, packet)

    def _worked(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("socket event handler failed", exc_info=error)
            self.socket.abort("internal error")
        if self._closed:
            for client in self.clients.values():
                self._app.disconnected(client)
            self.clients.clear()

    async def _connect(self, packet: SocketPacket) -> None:
        if self.socket.closed:
            return
        allowed = self.socket.namespaces
        if packet.namespace not in self._app.namespaces or (
            allowed is not None and packet.namespace not in allowed
        ):
            self._refuse(packet.namespace, {"message": "Invalid namespace"})
            return
        if packet.namespace in self.clients:
            self.socket.shut("parse error", last=CLOSE)
            return
        client = Client(self, packet.namespace, self._new_id())
        self._allow(None)  # it has done its part; how long it takes now is not the client's fault
        try:
            greet = await self._app.connect(client, packet.auth or {})
        except Refusal as refusal:
            self._refuse(packet.namespace, refusal.body)
            return
        if self._closed:
            self._app.disconnected(client)
            return
        self.clients[packet.namespace] = client
        body = {"sid": client.sid}
        if client.pid is not None:
            body["pid"] = client.pid
        self._send(b"40", packet.namespace, body)
        greet()

    def _refuse(self, namespace: str, body: dict[str, Any]) -> None:
        self._send(b"44", namespace, body)
        self._refusals += 1
        if self._refusals >= self._limits.max_refusals:
            self.socket.shut("too many refusals", last=CLOSE)
        elif not self.clients and not self._closed:
            self._allow(self._limits.connect_timeout)

    def _leave(self, client: Client) -> None:
        del self.clients[client.namespace]
        client.left = True
        self._app.disconnected(client)
        if not self.clients and not self._closed:
            self._allow(self._limits.connect_timeout)

    def _send(self, kind: bytes, namespace: str, body: dict[str, Any]) -> None:
        self.socket.outbox.send(Packet(kind + packets.prefix(namespace) + orjson.dumps(body)))

    def _allow(self, seconds: float | None) -> None:
        """Give the client this long for what it owes: a CONNECT, or the rest of its attachments."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(seconds, self._overdue)

    def _overdue(self) -> None:
        self.socket.shut("overdue", last=CLOSE)
