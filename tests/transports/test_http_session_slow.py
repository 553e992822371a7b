"""Event streams whose clients read slowly or not at all: who is too slow is cut, the others go on."""

import asyncio
import socket as stdsocket

import orjson

from server.transports import keys
from server.transports.wire import SEND_BUFFER
from tests.conftest import Cast
from tests.support.attempts import Talk, begin
from tests.support.clients import http_client
from tests.support.running import Server
from tests.support.slow import Slow
from tests.support.tail import Tail

ENTRY_BYTES = 4000
MOST_WAITING = 256 * 1024


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
        began, most, count = loop.time(), 0, 0
        while slow.attached():  # what is new does not count as read
            await publish(server, talk)
            count += 1
            most = max(most, slow.session.sink.size)
            await good.until("attempt_progress", count=before + count)
        assert 4 < loop.time() - began < 20
        assert most < MOST_WAITING
        assert count > 10  # the other one had each of them before the next
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
        async with asyncio.timeout(20):
            while slow.attached():
                await publish(server, talk)
