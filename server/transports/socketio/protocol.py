"""The Socket.IO server: hands the messages of each session to its peer."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

from schemas.envelope import ServerDraining
from server.transports.admission import Admission
from server.transports.draining import SHUTDOWN, reconnect_in
from server.transports.siblings import Siblings
from server.transports.socketio.engine import EngineServer
from server.transports.socketio.frames import CLOSE
from server.transports.socketio.library import SocketIOBase
from server.transports.socketio.limits import Limits
from server.transports.socketio.origins import Origins
from server.transports.socketio.peer import Application, Peer
from server.transports.socketio.socket import EngineSocket

LOOK_SECONDS = 0.02


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
                client.emit(ServerDraining.event, {"reconnect_in": reconnect_in()})
            if not peer.clients:
                peer.socket.shut(SHUTDOWN, last=CLOSE)

    async def settle(self, *, patience: float) -> None:
        """Give what is being handled, and what is on its way to clients, some seconds; then it is time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while any(peer.worker or not peer.socket.outbox.quiet for peer in self.peers.values()):
                    await asyncio.sleep(LOOK_SECONDS)

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
