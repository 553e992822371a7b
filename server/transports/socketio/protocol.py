"""The Socket.IO server: hands the messages of each session to its peer."""

import asyncio
import logging
import time
from typing import Any

from server.transports.admission import Admission
from server.transports.doors import SHUTDOWN, settled
from server.transports.siblings import Siblings
from server.transports.socketio.engine import EngineServer
from server.transports.socketio.frames import CLOSE
from server.transports.socketio.library import SocketIOBase
from server.transports.socketio.limits import Limits
from server.transports.socketio.origins import Origins
from server.transports.socketio.peer import Application, Peer
from server.transports.socketio.socket import EngineSocket


class SocketServer(SocketIOBase):  # type: ignore[misc] # the library has no types
    """Socket.IO 5 for one application; attach it with the library's own `attach`.

    The library's manager knows no clients here: events reach clients through their followers and answers.
    """

    eio: EngineServer

    def __init__(
        self, app: Application, *, limits: Limits, origins: Origins, siblings: Siblings,
        admission: Admission | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            logger=logging.getLogger("socketio"),
            limits=limits,
            origins=origins,
            siblings=siblings,
            admission=admission,
        )
        self.app = app
        self.limits = limits
        self.peers: dict[str, Peer] = {}

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer

    def _handle_eio_connect(self, eio_sid: str, environ: EngineSocket) -> None:
        self.peers[eio_sid] = Peer(environ, app=self.app, limits=self.limits, new_id=self.eio.generate_id)

    def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        if (peer := self.peers.get(eio_sid)) is not None:
            peer.receive(data)

    def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        if (peer := self.peers.pop(eio_sid, None)) is not None:
            peer.close()

    def announce(self) -> None:
        """Admit no more, and tell everybody who is connected; who is not yet connects elsewhere."""
        self.eio.draining = True
        for peer in list(self.peers.values()):
            for client in peer.clients.values():
                self.app.draining(client)
            if not peer.clients:
                peer.socket.shut(SHUTDOWN, last=CLOSE)

    async def settle(self) -> None:
        """Give what is being handled, and what is on its way to clients, a second; then it is time."""
        await settled(lambda: any(p.worker or not p.socket.outbox.quiet for p in self.peers.values()))

    async def close(self, *, patience: float) -> None:
        """Close every session, admit no more, and wait some seconds for events that are being handled."""
        self.eio.draining = True
        peers = list(self.peers.values())
        for peer in peers:
            peer.socket.shut(SHUTDOWN, last=CLOSE)
        workers = [peer.worker for peer in peers if peer.worker is not None]
        if workers:
            _, late = await asyncio.wait(workers, timeout=patience)
            for worker in late:
                worker.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def emit(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: rooms are followed, not emitted to."""
        raise NotImplementedError("publish to a room's log, or answer the client; nothing else is sent")


class WatchedServer(SocketServer):
    """A server of which the Admin UI shows when sockets came and went, and how much they sent."""

    def __init__(self, app: Application, **options: Any) -> None:
        super().__init__(app, **options)
        self.packets_in = 0
        self.bytes_in = 0

    def _handle_eio_connect(self, eio_sid: str, environ: EngineSocket) -> None:
        environ.opened = time.time()
        super()._handle_eio_connect(eio_sid, environ)

    def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        self.packets_in += 1
        self.bytes_in += len(data)
        super()._handle_eio_message(eio_sid, data)

    def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        if (peer := self.peers.get(eio_sid)) is not None:
            peer.socket.ended = reason
        super()._handle_eio_disconnect(eio_sid, reason)
