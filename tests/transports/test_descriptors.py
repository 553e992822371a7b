"""Connections that do nothing: they take descriptors, which are not to be one client's."""

import asyncio
import socket as stdsocket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from server.transports.addresses import Addresses
from server.transports.heads import Runner
from server.transports.peers import PEERS, Peers

ASK = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
MOST = 8
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def ok(request: web.Request) -> web.Response:
    return web.Response(text="ok")


@asynccontextmanager
async def served(*trusted: str) -> AsyncIterator[tuple[Runner, Peers]]:
    """Serve `ok` to eight connections of an address at a time."""
    app = web.Application()
    app.router.add_get("/", ok)
    peers = app[PEERS] = Peers(per_address=MOST // 4, addresses=Addresses(trusted))
    runner = Runner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner, peers
    finally:
        await runner.cleanup()


async def opened(runner: Runner, *, source: str = "127.0.0.1") -> Connection:
    return await asyncio.open_connection(*runner.addresses[0], local_addr=(source, 0))


async def is_served(connection: Connection) -> bool:
    """Ask for something, and tell whether there is an answer; the connection stays open if there is."""
    reader, writer = connection
    try:
        writer.write(ASK)
        async with asyncio.timeout(60):
            return b"200 OK" in await reader.readuntil(b"ok")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.transport.abort()
        return False


async def gone(peers: Peers, *, but: int = 0) -> None:
    """Wait until no more than some connections count."""
    async with asyncio.timeout(60):
        while sum(len(peers.places.of(name)) for name in peers.places.names) > but:
            await asyncio.sleep(0)


def close(connections: list[Connection]) -> None:
    for _, writer in connections:
        writer.transport.abort()


async def test_an_address_has_so_many_connections_and_no_more() -> None:
    async with served() as (runner, peers):
        silent = [await opened(runner) for _ in range(MOST)]
        assert all([await is_served(connection) for connection in silent])
        assert not await is_served(await opened(runner))
        assert runner.server is not None
        assert len(runner.server.connections) == MOST
        other = await opened(runner, source="127.0.0.2")
        assert await is_served(other)
        close(silent[:1])
        await gone(peers, but=MOST)
        silent[0] = await opened(runner)
        assert await is_served(silent[0])
        close([*silent, other])
        await gone(peers)
        assert peers.places.names == []


async def test_those_that_were_refused_do_not_count() -> None:
    async with served() as (runner, peers):
        for _ in range(3):
            found = [await opened(runner) for _ in range(2 * MOST)]
            assert [await is_served(connection) for connection in found] == [True] * MOST + [False] * MOST
            close(found)
            await gone(peers)


async def test_a_trusted_proxy_may_have_any_number() -> None:
    async with served("127.0.0.0/8") as (runner, peers):
        found = [await opened(runner) for _ in range(2 * MOST)]
        assert all([await is_served(connection) for connection in found])
        assert peers.places.names == []
        close(found)


@pytest.mark.parametrize("count", [MOST, MOST + 1])
async def test_connections_from_a_sibling_count(count: int) -> None:
    async with served() as (runner, peers):
        with stdsocket.create_server(("127.0.0.1", 0)) as listener:
            assert runner.server is not None
            found = []
            for _ in range(count):
                found.append(await asyncio.open_connection(*listener.getsockname()))
                theirs, _ = listener.accept()
                theirs.setblocking(False)
                await asyncio.get_running_loop().connect_accepted_socket(runner.server, theirs)
        assert [await is_served(each) for each in found] == [True] * MOST + [False] * (count - MOST)
        close(found)
        await gone(peers)
