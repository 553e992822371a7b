"""Event streams whose clients read slowly or not at all: who is too slow is cut, the others go on."""

import asyncio
import socket as stdsocket
from urllib.parse import urlsplit

import orjson

from server.transports import keys
from server.transports.http_events import SESSIONS
from server.transports.http_session import HttpSession
from server.transports.wire import SEND_BUFFER
from tests.conftest import Cast
from tests.support.attempts import Talk, begin
from tests.support.clients import Http, http_client
from tests.support.running import Server
from tests.support.tail import Tail

ENTRY_BYTES = 4000
MOST_WAITING = 256 * 1024


class Slow:
    """A session whose stream is read by hand, over a socket that takes little."""

    def __init__(self, server: Server, client: Http) -> None:
        self._server = server
        self._client = client
        self.session: HttpSession
        self._reader: asyncio.StreamReader

    async def open(self, talk: Talk) -> asyncio.StreamWriter:
        """Join a chat's room, then ask for the stream and read nothing."""
        answer = await self._client.send("connect")
        self._client.headers = {**self._client.headers, "X-Session-Id": answer["session_id"]}
        await self._client.send("attempt/join", chat_id=talk.chat_id, after=0)
        self.session = self._server.app[SESSIONS][answer["session_id"]]
        parts = urlsplit(self._server.url)
        raw = stdsocket.socket()
        raw.setsockopt(stdsocket.SOL_SOCKET, stdsocket.SO_RCVBUF, 4096)
        raw.connect((parts.hostname, parts.port))
        self._reader, writer = await asyncio.open_connection(sock=raw, limit=1024)
        writer.write(f"GET {answer['stream']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return writer

    def attached(self) -> bool:
        """Tell whether the stream is open."""
        return self.session.attached

    async def read(self, size: int, *, within: float) -> bytes:
        """Take so many bytes in so many seconds."""
        due = asyncio.Event()
        asyncio.get_running_loop().call_later(within, due.set)
        data = await self._reader.readexactly(size)
        await due.wait()
        return data


async def publish(server: Server, talk: Talk) -> None:
    """Add an entry to a chat's room."""
    j = orjson.dumps({"content": "x" * ENTRY_BYTES})
    await server.app[keys.HUB].log.publish(talk.room, "attempt_progress", j)


async def test_a_stream_that_nobody_reads_is_cut_and_the_others_are_not(server: Server, cast: Cast) -> None:
    talk = await begin(await cast.learner())
    await publish(server, talk)
    good = await cast.http()
    await good.send("attempt/join", chat_id=talk.chat_id, after=0)
    loop = asyncio.get_running_loop()
    async with http_client(server.url, token=server.token(cast.learner_id)) as client:
        slow = Slow(server, client)
        writer = await slow.open(talk)
        while not slow.attached():
            await publish(server, talk)
        while slow.session.sink.size < SEND_BUFFER:
            await publish(server, talk)
        before = (await server.app[keys.HUB].room(talk.room)).head
        began, most, late, count = loop.time(), 0, 0.0, 0
        while slow.attached():  # what is new does not count as read
            sent = loop.time()
            await publish(server, talk)
            count += 1
            most = max(most, slow.session.sink.size)
            await good.until("attempt_progress", count=before + count)
            late = max(late, loop.time() - sent)
        assert 4 < loop.time() - began < 8
        assert most < MOST_WAITING
        assert late < 2
        assert count > 100
        writer.close()
    Tail(talk.room).take(good)


async def test_a_slow_but_steady_reader_is_not_cut(server: Server, cast: Cast) -> None:
    talk = await begin(await cast.learner())
    for _ in range(100):
        await publish(server, talk)
    async with http_client(server.url, token=server.token(cast.learner_id)) as client:
        slow = Slow(server, client)
        writer = await slow.open(talk)
        got = b""
        for _ in range(36):  # 40 kB a second, for nine seconds
            got += await slow.read(10_000, within=0.25)
            assert slow.attached()
        assert got.count(b"\nid: ") >= 80
        writer.close()


async def test_the_send_buffer_of_a_stream_is_small(server: Server, cast: Cast) -> None:
    talk = await begin(await cast.learner())
    async with http_client(server.url, token=server.token(cast.learner_id)) as client:
        slow = Slow(server, client)
        writer = await slow.open(talk)
        await slow.read(100, within=0)
        wire = slow.session.sink._wire  # type: ignore[attr-defined]
        size = wire.get_extra_info("socket").getsockopt(stdsocket.SOL_SOCKET, stdsocket.SO_SNDBUF)
        assert size == 2 * SEND_BUFFER  # Linux counts twice
        writer.close()


async def test_a_stream_whose_client_is_gone_is_detached(server: Server, cast: Cast) -> None:
    talk = await begin(await cast.learner())
    async with http_client(server.url, token=server.token(cast.learner_id)) as client:
        slow = Slow(server, client)
        writer = await slow.open(talk)
        await slow.read(100, within=0)
        writer.close()
        async with asyncio.timeout(5):
            while slow.attached():
                await publish(server, talk)
