"""The namespace of the Socket.IO Admin UI, to look at and not to touch.

Nothing of it is in the way of events and entries: while somebody watches, the sockets are looked at every two
seconds, and all watchers are told the same of what has changed.
"""

import asyncio
import os
import platform
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

import orjson
import structlog

from server.dispatch import refusal
from server.errors import Forbidden, RateLimited
from server.transports.socketio.admin_door import Door
from server.transports.socketio.admin_view import View, event
from server.transports.socketio.admin_watcher import AdminLimits, Watcher
from server.transports.socketio.packets import SocketPacket
from server.transports.socketio.peer import Client, Refusal
from server.transports.socketio.protocol import WatchedServer

log = structlog.get_logger(__name__)
LOOK_SECONDS = 2.0
FEATURES = ["AGGREGATED_EVENTS", "ALL_EVENTS"]  # and none of those that do something


class Delivering(Protocol):
    """Counts what is written to followers."""

    deliveries: int


class Admin:
    """Lets watchers in and tells them of the sockets of `server`, which is set before it serves."""

    server: WatchedServer

    def __init__(self, door: Door, *, hub: Delivering, process: str) -> None:
        self.limits = AdminLimits()
        self._door = door
        self._hub = hub
        self._process = process
        self._watchers: dict[Client, Watcher] = {}
        self._looking: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._began = time.monotonic()
        self._counted: Counter[str] = Counter()

    async def connect(self, client: Client, auth: dict[str, Any]) -> Callable[[], None]:
        """Let a watcher in; raises Refusal."""
        address = client.peer.socket.remote
        try:
            session = await self._door.admit(auth, address=address)
        except Refusal as refused:
            log.warning("admin refused", address=address, reason=refused.body["message"])
            raise
        if len(self._watchers) >= self.limits.watchers:
            raise Refusal(f"there are {self.limits.watchers} watchers already")

        def greet() -> None:
            if session is not None:
                client.emit("session", session)
            client.emit("config", {"supportedFeatures": FEATURES})
            if client.peer.socket.closed:
                return
            self._watchers[client] = Watcher(client, self.limits)
            self._wake.set()
            if self._looking is None:
                self._looking = asyncio.create_task(self._look(), name="admin")
                self._looking.add_done_callback(self._looked)

        return greet

    async def event(self, client: Client, event: SocketPacket) -> None:
        """Refuse what would do something."""
        self._refuse(client, event, Forbidden("The Admin UI may look at this server and do nothing."))

    def refuse(self, client: Client, event: SocketPacket, error: RateLimited) -> None:
        """Answer an event that is not handled, because there are too many."""
        self._refuse(client, event, error)

    def draining(self, client: Client) -> None:
        """Tell nothing: the Admin UI connects again by itself."""

    def disconnected(self, client: Client) -> None:
        """Forget a watcher; harmless when done before."""
        watcher = self._watchers.pop(client, None)
        if watcher is not None:
            watcher.stop()
        if not self._watchers and self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def close(self) -> None:
        """Stop looking, and tell nobody any more."""
        for client in list(self._watchers):
            self.disconnected(client)

    def _refuse(self, client: Client, event: SocketPacket, error: Forbidden | RateLimited) -> None:
        if event.ack_id is not None:
            client.answer(event.ack_id, orjson.Fragment(refusal(event.name, error).ack))

    def _looked(self, task: "asyncio.Task[None]") -> None:
        if self._looking is task:
            self._looking = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("watching for the Admin UI broke", exc_info=error)
            for client in list(self._watchers):
                client.peer.socket.abort("internal error")

    async def _look(self) -> None:
        view = View(self.server.peers)
        self._counted = self._counts()
        while True:
            self._wake.clear()
            changes = await view.look(tell=any(watcher.begun for watcher in self._watchers.values()))
            shown, stats = list(view.sockets.values()), event("server_stats", self._stats(view))
            for watcher in list(self._watchers.values()):  # also who has come meanwhile, and not who has left
                if watcher.begun:
                    watcher.tell(changes)
                else:
                    watcher.begin(shown)
                watcher.tell(stats)
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _stats(self, view: View) -> dict[str, Any]:
        counts = self._counts()
        since, self._counted = counts - self._counted, counts
        at = round(time.time()) * 1000
        return {
            "serverId": self._process,
            "hostname": platform.node(),
            "pid": os.getpid(),
            "uptime": time.monotonic() - self._began,
            "clientsCount": len(self.server.peers),
            "pollingClientsCount": view.polling,
            "aggregatedEvents": [{"timestamp": at, "type": t, "count": n} for t, n in since.items()],
            "namespaces": [{"name": name, "socketsCount": n} for name, n in view.counts().items()],
        }

    def _counts(self) -> Counter[str]:
        ended = self.server.eio.ended.total()
        return Counter(
            rawConnection=len(self.server.peers) + ended,
            rawDisconnection=ended,
            packetsOut=self._hub.deliveries,
            packetsIn=self.server.packets_in,
            bytesIn=self.server.bytes_in,
        )
