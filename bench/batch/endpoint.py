"""A model behind 100 ms: chat completions with two tool calls, and the plugin that jobs choose from.

It is a bare protocol on uvloop, so that it is never what others wait for: over 10,000 answers a second and
core. `POST /reset` forgets, `GET /seen` tells what was asked since then, `GET /body` gives the last request.
"""

import asyncio
import sys
import time
from dataclasses import asdict, dataclass
from typing import cast

import orjson
import uvloop

from bench.batch.work import ANSWER, MANIFEST_PATH, OPENAPI_PATH, manifest, openapi

DELAY_SECONDS = 0.1
END_OF_HEAD = b"\r\n\r\n"


@dataclass
class Seen:
    """What was asked since the last reset; times are those of this machine's monotonic clock."""

    asked: int = 0
    at_once: int = 0
    most_at_once: int = 0
    first: float = 0.0
    last: float = 0.0  # answer


class Endpoint:
    """What all connections share."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.seen = Seen()
        self.body = b"{}"
        self.url = ""

    def answer(self, method: bytes, path: bytes, body: bytes) -> bytes:
        """Return the answer to anything but a completion."""
        match method, path.decode():
            case b"GET", "/seen":
                return answered(orjson.dumps(asdict(self.seen)))
            case b"GET", "/body":
                return answered(self.body)
            case b"POST", "/reset":
                self.seen = Seen()
                return answered(b"{}")
            case b"GET", where if where == MANIFEST_PATH:
                return answered(orjson.dumps(manifest(self.url)))
            case b"GET", where if where == OPENAPI_PATH:
                return answered(orjson.dumps(openapi(self.url)))
        return answered(b'{"error":{"message":"no such path"}}', status=b"404 Not Found")

    def began(self, body: bytes) -> None:
        """Count a completion that was asked for."""
        self.body = body
        seen = self.seen
        seen.first = seen.first or time.monotonic()
        seen.asked += 1
        seen.at_once += 1
        seen.most_at_once = max(seen.most_at_once, seen.at_once)

    def ended(self) -> None:
        """Count its answer."""
        self.seen.at_once -= 1
        self.seen.last = time.monotonic()


def answered(body: bytes, *, status: bytes = b"200 OK") -> bytes:
    """Return a whole HTTP answer."""
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )


COMPLETION = answered(orjson.dumps(ANSWER))


class Connection(asyncio.Protocol):
    """One connection: requests one after another, each with a Content-Length."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Take every request that is complete."""
        self._buffer += data
        while (end := self._buffer.find(END_OF_HEAD)) >= 0:
            head = self._buffer[:end]
            begin = end + len(END_OF_HEAD)
            whole = begin + _length(head)
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[begin:whole], self._buffer[whole:]
            method, path, _ = head.split(b" ", 2)
            self._asked(method, path, body)

    def _asked(self, method: bytes, path: bytes, body: bytes) -> None:
        if method == b"POST" and path.endswith(b"/chat/completions"):
            self._endpoint.began(body)
            asyncio.get_running_loop().call_later(self._endpoint.delay, self._complete)
        else:
            self._write(self._endpoint.answer(method, path, body))

    def _complete(self) -> None:
        self._endpoint.ended()
        self._write(COMPLETION)

    def _write(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return 0


async def serve(delay: float) -> None:
    """Print the address and serve until the standard input ends."""
    endpoint = Endpoint(delay)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(endpoint), "127.0.0.1", 0, backlog=1024)
    endpoint.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(endpoint.url, flush=True)
    async with server:
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve(float(sys.argv[1]) if len(sys.argv) > 1 else DELAY_SECONDS))
