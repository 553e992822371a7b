"""A web of real HTTP servers on 127.0.0.1, for tests of fetching."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Site:
    """A server: what it answers by path, and what it was asked."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def text(self, path: str, text: str | bytes, *, content_type: str = "application/json") -> str:
        """Answer a path with a text, and return its address."""
        body = text.encode() if isinstance(text, str) else text

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(body=body, content_type=content_type)

        return self.on(path, answer)

    def on(self, path: str, answer: Answer) -> str:
        """Answer a path by a function, and return its address."""
        self.answers[path] = answer
        return self.url + path

    def redirect(self, path: str, to: str, *, status: int = 302) -> str:
        """Redirect a path, and return its address."""

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(status=status, headers={"Location": to})

        return self.on(path, answer)

    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [request.path for request in self.asked]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.bodies.append(await request.read())
        answer = self.answers.get(request.path)
        if answer is None:
            return web.Response(status=404, text="a secret text")
        return await answer(request)


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    """Run a server on a free port."""
    served = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", served._handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield served
    finally:
        await runner.cleanup()
