"""Somebody's agent, as little of one as can be: it answers each message once, after 50 ms.

`POST /reset` forgets, `GET /seen` tells who called since then.
"""

import asyncio
import sys
import time
from dataclasses import asdict, dataclass

import orjson
import uvloop
from aiohttp import WSMsgType, web

from bench.evaluator.work import DELAY_SECONDS, answer


@dataclass
class Seen:
    """Who called since the last reset; times are those of this machine's monotonic clock."""

    calls: int = 0
    at_once: int = 0
    most_at_once: int = 0
    messages: int = 0
    first: float = 0.0
    last: float = 0.0  # call that came


class Agent:
    """What all calls share."""

    def __init__(self) -> None:
        self.seen = Seen()

    async def call(self, request: web.Request) -> web.WebSocketResponse:
        """Answer a call until it ends."""
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        seen = self.seen
        seen.last = time.monotonic()
        seen.first = seen.first or seen.last
        seen.calls += 1
        seen.at_once += 1
        seen.most_at_once = max(seen.most_at_once, seen.at_once)
        try:
            await self._talk(ws)
        finally:
            seen.at_once -= 1
        return ws

    async def _talk(self, ws: web.WebSocketResponse) -> None:
        number = 0
        async for message in ws:
            if message.type is not WSMsgType.TEXT:
                return
            self.seen.messages += 1
            if "type" not in orjson.loads(message.data):
                await asyncio.sleep(DELAY_SECONDS)
                await ws.send_str(orjson.dumps({"content": answer(number)}).decode())
                number += 1

    async def tell(self, _: web.Request) -> web.Response:
        """Answer who called."""
        return web.json_response(asdict(self.seen))

    async def reset(self, _: web.Request) -> web.Response:
        """Forget who called."""
        self.seen = Seen()
        return web.json_response({})


async def serve() -> None:
    """Print the address and serve until the standard input ends."""
    agent, app = Agent(), web.Application()
    app.add_routes([web.get("/", agent.call), web.get("/seen", agent.tell), web.post("/reset", agent.reset)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(serve())
