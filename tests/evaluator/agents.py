"""Somebody's agents, of every temperament: real WebSocket servers on 127.0.0.1."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from schemas.envelope import JsonObject


@dataclass
class Call:
    """A connection to an agent, as the agent sees it."""

    ws: web.WebSocketResponse
    request: web.Request
    got: list[JsonObject] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)

    async def hear(self) -> JsonObject | None:
        """Return the next message; None when the caller is gone."""
        message = await self.ws.receive()
        if message.type is not WSMsgType.TEXT:
            return None
        self.raw.append(message.data)
        self.got.append(json.loads(message.data))
        return self.got[-1]

    async def say(self, content: str, **fields: object) -> None:
        """Send a message."""
        await self.send({"content": content, **fields})

    async def send(self, frame: object) -> None:
        """Send a JSON frame."""
        await self.ws.send_str(json.dumps(frame))

    async def answer_all(self, answer: str = "Yes?") -> None:
        """Answer until the caller is gone or ends the call."""
        while (said := await self.hear()) and "type" not in said:
            await self.say(answer)

    def drop(self) -> None:
        """Cut the connection as a crash does: a reset, without a closing frame."""
        transport = self.request.transport
        assert transport
        transport.abort()


Temperament = Callable[[Call], Awaitable[None]]


@dataclass
class Agent:
    """An agent that runs: its address, and the calls that it had; `left` is set when one is over."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def got(self) -> list[JsonObject]:
        """Return what its only caller has sent."""
        (call,) = self.calls
        return call.got


@asynccontextmanager
async def agent(temperament: Temperament) -> AsyncIterator[Agent]:
    """Run an agent on a free port."""
    running = Agent()

    async def serve(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(max_msg_size=0)
        await ws.prepare(request)
        call = Call(ws, request)
        running.calls.append(call)
        try:
            await temperament(call)
        except ConnectionError:
            pass  # the caller has hung up on a talker
        finally:
            running.left.set()
        return ws

    async with listening(serve) as url:
        running.url = url
        yield running


@asynccontextmanager
async def listening(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Serve every path by a handler, and yield the address for WebSockets."""
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        _, port = runner.addresses[0]
        yield f"ws://127.0.0.1:{port}/agent"
    finally:
        await runner.cleanup()


async def echo(call: Call) -> None:
    """Greet in plain text and send everything back, as echo servers do."""
    await call.ws.send_str("Request served by an echo")
    while (said := await call.hear()) is not None:
        await call.send(said)


async def patient(call: Call) -> None:
    """Answer whoever speaks."""
    await call.answer_all()


async def greeter(call: Call) -> None:
    """Speak first, then answer."""
    await call.say("Good morning!")
    await call.answer_all()


async def mute(call: Call) -> None:
    """Listen and never answer."""
    while await call.hear():
        pass
