"""The terminal chat's connection: Socket.IO for events, HTTP for reading back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import socketio
from pydantic import BaseModel
from socketio.exceptions import SocketIOError

from schemas.envelope import JsonObject
from server.cli.failure import Failure

CALL_TIMEOUT = 30.0
CONNECT_TIMEOUT = 10.0
START = "python -m server demo"


class Event(BaseModel):
    """Something the server said; `reconnected` and `disconnected` are the link's own."""

    name: str
    data: JsonObject = {}


class Refused(Exception):
    """The server refused an event; the message is for people."""

    def __init__(self, error: JsonObject) -> None:
        super().__init__(str(error.get("message", "The server refused this.")))
        self.code = str(error.get("code", ""))
        self.retryable = bool(error.get("retryable", False))


class Link:
    """One connection to a server; `events` keeps the order in which they came."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self._url = url
        self._http = http
        self._socket = socketio.AsyncClient(http_session=http, handle_sigint=False)
        self._socket.on("*", self._heard)

    async def call(self, event: str, **data: object) -> JsonObject:
        """Send an event and return its result; raises Refused, Failure when no answer comes."""
        try:
            ack: JsonObject = await self._socket.call(event, data, timeout=CALL_TIMEOUT)
        except SocketIOError as error:
            raise Refused({"message": "The connection broke before the server answered."}) from error
        if not ack.get("success"):
            raise Refused(ack.get("error") or {})
        return ack

    async def read(self, path: str) -> Any:
        """Return the JSON of an address below /api/v1; raises Refused or Failure."""
        try:
            async with self._http.get(f"{self._url}/api/v1/{path}") as response:
                body = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Failure(_away(self._url)) from error
        except ValueError as error:
            raise Failure(f"what answers at {self._url} is not Greenroom; see --url") from error
        if response.status == 401:
            raise Failure(
                f"the server at {self._url} refuses the token: {_reason(body)} "
                "Give its --data-dir or its GREENROOM_SECRET, or a --token"
            )
        if response.status >= 400:
            raise Refused(body.get("error") or {})
        return body

    async def open(self, token: str) -> None:
        """Connect; raises Failure."""
        try:
            await self._socket.connect(
                self._url, auth={"token": token}, transports=["websocket"], wait_timeout=CONNECT_TIMEOUT
            )
        except SocketIOError as error:
            raise Failure(f"the server at {self._url} takes no connection: {error}") from error
        self._socket.on("connect", lambda: self.events.put_nowait(Event(name="reconnected")))
        self._socket.on("disconnect", lambda *_: self.events.put_nowait(Event(name="disconnected")))

    async def close(self) -> None:
        """Disconnect."""
        await self._socket.disconnect()

    def _heard(self, name: str, data: object = None, *_: object) -> None:
        self.events.put_nowait(Event(name=name, data=data if isinstance(data, dict) else {}))


@asynccontextmanager
async def linked(url: str, token: str) -> AsyncIterator[Link]:
    """Yield a connection to a server; raises Failure that names how to start one."""
    headers = {"Authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
        link = Link(url, http)
        await link.read("practices?limit=1")
        await link.open(token)
        try:
            yield link
        finally:
            await link.close()


def _away(url: str) -> str:
    return f"no server answers at {url}; start one with {START}, or name another with --url"


def _reason(body: object) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("message", "")) if isinstance(error, dict) else ""
