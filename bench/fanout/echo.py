"""The product's Socket.IO transport alone, which answers `echo` with what it got: the least an ack costs."""

import sys
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web

from bench.fanout.ours import UNLIMITED
from bench.fanout.producer import obey
from server.errors import RateLimited
from server.settings import Settings
from server.transports.siblings import Siblings
from server.transports.socketio.limits import Limits
from server.transports.socketio.origins import Origins
from server.transports.socketio.packets import SocketPacket
from server.transports.socketio.peer import Client
from server.transports.socketio.protocol import SocketServer


class Echo:
    """Acknowledges every event with its arguments."""

    namespaces: Collection[str] = ("/",)

    async def connect(self, client: Client, auth: dict[str, Any]) -> Callable[[], None]:
        """Let everybody in."""
        return lambda: None

    async def event(self, client: Client, event: SocketPacket) -> None:
        """Send back what came."""
        if event.ack_id is not None:
            client.answer(event.ack_id, *event.args)

    def refuse(self, client: Client, event: SocketPacket, error: RateLimited) -> None:
        """End the benchmark: nobody sends that much here."""
        sys.exit(error.message)

    def draining(self, client: Client) -> None:
        """Say nothing: the benchmark ends its clients first."""

    def disconnected(self, client: Client) -> None:
        """Forget nothing, because nothing is kept."""


async def publish(event: str, entries: list[bytes]) -> None:
    """Refuse: nothing is followed here."""
    raise NotImplementedError(event)


async def serve(folder: Path) -> None:
    """Serve until terminated."""
    server = SocketServer(
        Echo(),
        limits=Limits.of(Settings(**UNLIMITED)),
        origins=Origins([]),
        siblings=Siblings("echo", folder),
    )
    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    await obey(runner.addresses[0][1], publish)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as data_dir:
        uvloop.run(serve(Path(data_dir)))
