"""The product server with a control port beside it: entries go through its log, its rooms and its sockets."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvloop
from pydantic import SecretStr

from bench.fanout.producer import obey
from server import logs
from server.cli.serving import serving
from server.rooms.hub import Hub
from server.settings import Settings
from server.transports import keys

GUEST = "5b6a7c8d-9a4d-4c57-8d0e-3f2b8c1e9e0f"  # all followers are tabs of this guest, in its own room
ROOM = f"guest_{GUEST}"
AHEAD_BYTES = 64 * 1024  # that may wait for their commit while turn follows upon turn
MANY = 1_000_000
# one machine plays thousands of people here, as fast as it can
UNLIMITED: dict[str, Any] = {
    "connections_per_identity": MANY,
    "connections_per_address": MANY,
    "events_per_second": MANY,
    "events_burst": MANY,
}


class Publisher:
    """Publishes to the room that everybody follows."""

    def __init__(self, hub: Hub) -> None:
        self._log = hub.log

    async def publish(self, event: str, entries: list[bytes]) -> None:
        """Queue entries; returns at once unless much waits. The last one of all is waited for."""
        last = self._queue(event, entries)
        if event == "done" or self._log.queue_bytes > AHEAD_BYTES:
            await last

    async def alone(self, event: str, entries: list[bytes]) -> None:
        """Put entries into a commit of their own; returns when they were delivered."""
        await self._queue(event, entries)

    def _queue(self, event: str, entries: list[bytes]) -> asyncio.Future[int]:
        return [self._log.publish(ROOM, event, entry) for entry in entries][-1]


async def serve(mongod_url: str, folder: Path) -> None:
    """Serve until terminated."""
    settings = Settings(
        port=0,
        data_dir=folder,
        guests=True,
        log_level="error",
        mongodb_url=SecretStr(mongod_url),
        mongodb_database="bench",
        openai_api_key=SecretStr("none"),
        openai_base_url="http://127.0.0.1:9/v1",  # nothing asks a model here
        openai_model="none",
        **UNLIMITED,
    )
    logs.configure(settings.log_level)
    async with serving(settings) as server:
        port = int(server.url.rpartition(":")[2])
        publisher = Publisher(server.app[keys.HUB])
        await obey(port, publisher.publish, alone=publisher.alone)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as data_dir:
        uvloop.run(serve(sys.argv[1], Path(data_dir)))
