"""The WebSocket of a page: what goes over it is seen, and can be held back or altered."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import orjson
from playwright.async_api import Page, WebSocketRoute

PATIENCE = 20.0
Alter = Callable[[str], str | None]
EVENT = re.compile(r"4[23]\d*(?=\[)")


class Wire:
    """Frames of Socket.IO as text. `alter_sent` and `alter_heard` return what goes on, None if nothing."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.heard: list[str] = []
        self.alter_sent: Alter = lambda frame: frame
        self.alter_heard: Alter = lambda frame: frame
        self._page: WebSocketRoute | None = None
        self._moved = asyncio.Event()

    def take(self, page: WebSocketRoute) -> None:
        """Pass the frames of a new connection on."""
        self._page = page
        server = page.connect_to_server()
        page.on_message(lambda frame: self._pass(frame, self.sent, self.alter_sent, server))
        server.on_message(lambda frame: self._pass(frame, self.heard, self.alter_heard, page))

    def tell(self, name: str, data: dict[str, Any]) -> None:
        """Let the page hear an event of ours."""
        assert self._page is not None
        self._page.send("42" + orjson.dumps([name, data]).decode())

    async def count(self, frames: list[str], name: str, room: str, count: int) -> None:
        """Wait until there are so many events about a room among `sent` or `heard`."""
        await self.until(lambda: len(named(frames, name, room)) >= count)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until what was seen meets a condition."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._moved.clear()
                await self._moved.wait()

    def _pass(self, frame: str | bytes, seen: list[str], alter: Alter, to: WebSocketRoute) -> None:
        assert isinstance(frame, str)
        seen.append(frame)
        self._moved.set()
        altered = alter(frame)
        if altered is not None:
            to.send(altered)


def contents(frame: str) -> list[Any]:
    """Return an event as its name, its payload and its place; an answer as its payload; else nothing."""
    head = EVENT.match(frame)
    found: list[Any] = orjson.loads(frame[head.end() :]) if head else []
    return found


def as_new(frame: str) -> str:
    """Return the begin of a connection as that of a client who was not here before."""
    if not frame.startswith("40{"):
        return frame
    auth = orjson.loads(frame[2:])
    return "40" + orjson.dumps({k: v for k, v in auth.items() if k not in ("pid", "offset")}).decode()


def named(frames: list[str], name: str, room: str) -> list[dict[str, Any]]:
    """Return the payloads of the events of a name about a room."""
    events = [found for found in map(contents, frames) if found[:1] == [name]]
    return [data for _, data, *_ in events if data.get("room") == room]


async def wire_of(page: Page) -> Wire:
    """Watch the connection of a page that is not open yet."""
    wire = Wire()
    await page.route_web_socket(re.compile(r"/socket\.io/"), wire.take)
    return wire
