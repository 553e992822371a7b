"""Requests whose head does not come, or drips, and connections that are kept alive."""

import asyncio
import socket as stdsocket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from server.transports.heads import KEPT_SECONDS, Runner
from server.transports.socketio.library import ATTRIBUTES
from tests.support.passing import passes

ASK = b"GET /%b HTTP/1.1\r\nHost: here\r\n"
END = b"\r\n"
LONG = b"A: " + b"x" * 250
SECONDS = 0.4


class Client:
    """A connection on which bytes are sent one by one, or not at all."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self) -> bytes:
        """Read one answer, to the end of its body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        return head + await self.reader.readexactly(2)

    async def ended(self) -> float:
        """Wait until the server has hung up without a word, and return how long that took."""
        started = asyncio.get_running_loop().time()
        async with asyncio.timeout(20):
            assert await self.reader.read() == b""
        return asyncio.get_running_loop().time() - started

    async def drip(self, data: bytes, *, every: float) -> float:
        """Send a byte now and then until the server hangs up, before the last; return how long that took."""
        started = asyncio.get_running_loop().time()
        eof = asyncio.create_task(self.reader.read())
        for n in range(len(data)):
            self.writer.write(data[n : n + 1])
            if (await asyncio.wait([eof], timeout=every))[0]:
                break
        else:
            raise AssertionError("what drips has all the time it wants")
        assert await eof == b""
        return asyncio.get_running_loop().time() - started


@asynccontextmanager
async def served(
    seconds: float = SECONDS, *, kept: float = KEPT_SECONDS
) -> AsyncIterator[tuple[Runner, str, int]]:
    """Serve `ok` at /, and at /slow when three times the deadline has passed."""
    app = web.Application()

    async def ok(request: web.Request) -> web.Response:
        if request.path == "/slow":
            await passes(3 * seconds, because="a handler takes longer than a head may")
        await request.read()
        return web.Response(text="ok")

    app.router.add_route("*", "/{rest:.*}", ok)
    runner = Runner(app, shutdown_timeout=1, head_timeout=seconds, keepalive_timeout=kept)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner, "127.0.0.1", runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(seconds: float = SECONDS, *, kept: float = KEPT_SECONDS) -> AsyncIterator[Client]:
    async with served(seconds, kept=kept) as (_, host, port):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()


async def connections(runner: Runner) -> list[web.RequestHandler]:
    """Return who is connected, once somebody is."""
    assert runner.server is not None
    async with asyncio.timeout(20):
        while not runner.server.connections:
            await asyncio.sleep(0)
    return runner.server.connections


@pytest.mark.parametrize("sent", [b"", b"G", b"\r\n", ASK % b"", ASK % b"" + b"A: " + b"x" * 5000])
async def test_a_head_that_does_not_end_is_cut(sent: bytes) -> None:
    async with connected() as client:
        client.writer.write(sent)
        assert await client.ended() > SECONDS - 0.1


async def test_a_head_that_drips_has_no_more_time() -> None:
    async with connected() as client:
        assert await client.drip(ASK % b"" + LONG, every=SECONDS / 10) > SECONDS - 0.1


async def test_the_second_head_has_its_own_time_from_its_first_byte_on() -> None:
    async with connected() as client:
        client.writer.write(ASK % b"" + END)
        assert b"200 OK" in await client.answer()
        nothing = asyncio.create_task(client.reader.read(1))
        await asyncio.wait([nothing], timeout=2 * SECONDS)  # kept alive
        assert not nothing.done()
        nothing.cancel()
        await asyncio.gather(nothing, return_exceptions=True)
        assert await client.drip(ASK % b"" + LONG, every=SECONDS / 10) > SECONDS - 0.1


async def test_kept_alive_connections_are_used_again_and_again() -> None:
    async with connected() as client:
        for _ in range(6):
            client.writer.write(ASK % b"")
            await passes(SECONDS / 3, because="a slow client sends in its own time")
            client.writer.write(END)
            assert b"200 OK" in await client.answer()


async def test_a_connection_that_asks_nothing_more_is_closed() -> None:
    async with connected(30, kept=SECONDS) as client:
        client.writer.write(ASK % b"" + END)
        assert b"200 OK" in await client.answer()
        assert await client.ended() > SECONDS - 0.1


@pytest.mark.parametrize("path", [b"", b"slow"])
async def test_a_part_of_a_head_that_came_too_early_keeps_a_connection_no_longer(path: bytes) -> None:
    async with connected(kept=SECONDS) as client:
        client.writer.write((ASK % path) + END + b"GET /he")
        assert b"200 OK" in await client.answer()
        await client.ended()


async def test_connections_are_kept_longer_than_proxies_keep_theirs_and_not_for_an_hour() -> None:
    async with served() as (runner, host, port):
        _, writer = await asyncio.open_connection(host, port)
        (connection,) = await connections(runner)
        assert 60 < connection.keepalive_timeout <= 75
        writer.close()


async def test_what_is_read_of_a_connection_is_there() -> None:
    async with served() as (runner, host, port):
        reader, writer = await asyncio.open_connection(host, port)
        (connection,) = await connections(runner)
        assert all(hasattr(connection, name) for owner, names in ATTRIBUTES for name in names)
        assert connection._request_count == 0
        writer.write(ASK % b"" + END)
        await Client(reader, writer).answer()
        assert connection._request_count == 1
        waiter = connection._waiter  # for the next head
        assert waiter is not None
        assert not waiter.done()
        writer.write(ASK % b"" + END)
        await Client(reader, writer).answer()
        assert waiter.done()
        writer.close()


async def test_long_answers_and_slow_bodies_are_no_heads() -> None:
    async with connected() as client:
        client.writer.write((ASK % b"slow") + END)
        assert b"200 OK" in await client.answer()
        client.writer.write(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n\r\n")
        for _ in range(5):
            client.writer.write(b"x")
            await passes(SECONDS / 3, because="a slow client sends in its own time")
        assert b"200 OK" in await client.answer()


async def test_requests_that_were_sent_ahead_are_answered() -> None:
    async with connected() as client:
        client.writer.write(((ASK % b"slow") + END) * 2 + (ASK % b""))
        assert b"200 OK" in await client.answer()
        assert b"200 OK" in await client.answer()
        client.writer.write(END)
        assert b"200 OK" in await client.answer()


async def test_a_connection_from_a_sibling_has_a_deadline_too() -> None:
    async with served() as (runner, _, _):
        ours, theirs = stdsocket.socketpair()
        theirs.setblocking(False)
        assert runner.server is not None
        await asyncio.get_running_loop().connect_accepted_socket(runner.server, theirs)
        reader, writer = await asyncio.open_connection(sock=ours)
        client = Client(reader, writer)
        client.writer.write((ASK % b"") + END)
        assert b"200 OK" in await client.answer()
        client.writer.write(ASK % b"")
        await client.ended()
        writer.close()


async def test_nothing_is_kept_of_connections_that_ended() -> None:
    async with served(30) as (runner, host, port):
        for _ in range(20):
            _, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET")
            writer.transport.abort()
        assert runner.server is not None
        async with asyncio.timeout(20):
            while runner.server.connections:
                await asyncio.sleep(0)
