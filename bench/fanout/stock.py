"""The same work on python-socketio as it comes, on aiohttp and uvloop."""

from typing import Any

import orjson
import socketio
import uvloop
from aiohttp import web

from bench.fanout.producer import obey


async def serve() -> None:
    """Serve until terminated."""
    sio = socketio.AsyncServer(async_mode="aiohttp", http_compression=False)

    async def join(sid: str, data: dict[str, Any]) -> int:
        await sio.enter_room(sid, data["room"])
        return 1

    async def echo(sid: str, data: dict[str, Any]) -> dict[str, Any]:
        return data

    async def publish(event: str, entries: list[bytes]) -> None:
        for entry in entries:
            await sio.emit(event, orjson.loads(entry), room="r")

    sio.on("join", join)
    sio.on("echo", echo)
    app = web.Application()
    sio.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    await obey(runner.addresses[0][1], publish)


if __name__ == "__main__":
    uvloop.run(serve())
