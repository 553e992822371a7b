"""Clients with the verbs of the domain: call, until, seen."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import socketio

Event = tuple[str, dict[str, Any]]
PATIENCE = 28.0  # less than the 30 s after which what was lost is looked for


class Recorder:
    """Events in the order in which they came."""

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self._news = asyncio.Event()

    def record(self, name: str, data: dict[str, Any]) -> None:
        """Take note of an event."""
        self.seen.append((name, data))
        self._news.set()

    def named(self, name: str, **match: Any) -> list[dict[str, Any]]:
        """Return the payloads of the events of a name whose fields match."""
        return [d for n, d in self.seen if n == name and all(d.get(k) == v for k, v in match.items())]

    def names(self, room: str | None = None) -> list[str]:
        """Return the names of all events, or of those of a room."""
        return [n for n, d in self.seen if room is None or d.get("room") == room]

    def seen_last(self, name: str) -> dict[str, Any]:
        """Return the payload of the newest event of a name."""
        return self.named(name)[-1]

    async def when(self, condition: Callable[[], bool], *, within: float = PATIENCE) -> None:
        """Wait for the event after which a condition holds."""
        async with asyncio.timeout(within):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def until(
        self, name: str, *, count: int = 1, within: float = PATIENCE, **match: Any
    ) -> dict[str, Any]:
        """Wait for the count-th event of a name whose fields match, and return its payload."""
        async with asyncio.timeout(within):
            while len(found := self.named(name, **match)) < count:
                self._news.clear()
                await self._news.wait()
        return found[count - 1]


class Socket(Recorder):
    """A python-socketio client."""

    def __init__(self, client: socketio.AsyncClient) -> None:
        super().__init__()
        self.client = client
        client.on("*", self.record)

    async def call(self, event: str, **data: Any) -> dict[str, Any]:
        """Send an event and return its ack."""
        ack: dict[str, Any] = await self.client.call(event, data, timeout=PATIENCE)
        return ack

    async def send(self, event: str, **data: Any) -> dict[str, Any]:
        """Send an event that must succeed."""
        ack = await self.call(event, **data)
        assert ack["success"], ack
        return ack


@asynccontextmanager
async def socket(url: str, auth: dict[str, Any] | None = None, **options: Any) -> AsyncIterator[Socket]:
    """Connect a Socket.IO client and wait for its confirmation."""
    async with aiohttp.ClientSession() as http:  # of our own, because a refused client leaves its one open
        client = socketio.AsyncClient(reconnection=False, http_session=http)
        recorder = Socket(client)
        given = {"transports": ["websocket"], "wait_timeout": 10, **options}
        await client.connect(url, auth=auth or {}, **given)
        try:
            await recorder.until("connection_confirmed")
            yield recorder
        finally:
            await client.disconnect()
            await client.shutdown()


class Http(Recorder):
    """A client that posts events and reads its stream."""

    def __init__(self, http: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> None:
        super().__init__()
        self._http = http
        self.url = url
        self.headers = headers
        self.stream_path = ""
        self.last_id: str | None = None
        self.ids: list[str | None] = []
        self.retry: int | None = None
        self.status = 0
        self._reader: asyncio.Task[None] | None = None

    async def call(self, event: str, **data: Any) -> dict[str, Any]:
        """Post an event and return its answer."""
        url = f"{self.url}/socket/v5/client/{event}"
        async with self._http.post(url, json=data, headers=self.headers) as response:
            self.status = response.status
            answer: dict[str, Any] = orjson.loads(await response.read())
            return answer

    async def send(self, event: str, **data: Any) -> dict[str, Any]:
        """Post an event that must succeed."""
        answer = await self.call(event, **data)
        assert answer["success"], answer
        return answer

    async def connect(self) -> None:
        """Open a session and its stream."""
        answer = await self.send("connect")
        self.headers = {**self.headers, "X-Session-Id": answer["session_id"]}
        if "guest_id" in answer:
            self.headers["X-Guest-Id"] = answer["guest_id"]
        self.stream_path = answer["stream"]
        await self.resume()

    async def resume(self) -> None:
        """Read the stream, from the last event on."""
        before = len(self.named("connection_confirmed"))
        self.open()
        await self.until("connection_confirmed", count=before + 1)

    def open(self) -> None:
        """Begin to read the stream."""
        self._reader = asyncio.create_task(self._read())

    @property
    def reader(self) -> asyncio.Task[None]:
        """Return the task that reads the stream; it ends with it."""
        assert self._reader is not None
        return self._reader

    async def ended(self) -> None:
        """Wait until the server, or what is between, has cut the stream."""
        if self._reader is not None:
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None

    async def drop(self) -> None:
        """Cut the stream."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None

    async def _read(self) -> None:
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        async with self._http.get(
            self.url + self.stream_path, headers=headers, timeout=aiohttp.ClientTimeout(total=None)
        ) as response:
            assert response.status == 200, await response.text()
            fields: dict[str, str] = {}
            async for line in response.content:
                text = line.decode().rstrip("\n")
                if text:
                    key, _, value = text.partition(":")
                    fields[key] = value.removeprefix(" ")
                elif "retry" in fields:
                    self.retry, fields = int(fields["retry"]), {}
                elif "event" in fields:
                    self.last_id = fields.get("id", self.last_id)
                    self.ids.append(fields.get("id"))
                    self.record(fields["event"], orjson.loads(fields["data"]))
                    fields = {}
                else:
                    fields = {}


@asynccontextmanager
async def http_client(url: str, *, token: str | None = None) -> AsyncIterator[Http]:
    """Open an HTTP client; `connect` gives it a session and a stream."""
    async with aiohttp.ClientSession() as http:
        client = Http(http, url, {"Authorization": f"Bearer {token}"} if token else {})
        try:
            yield client
        finally:
            await client.drop()
