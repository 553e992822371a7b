"""What is handed from process to process, as raw requests see it."""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from server.engine.ids import new
from server.transports.siblings import FOLDER, sibling_of
from tests.scaled.cluster import Cluster

OPEN = "/socket.io/?EIO=4&transport=polling"
REQUESTS = 40
AT_ONCE = 10.0  # on a machine that stalls; each request waits 5 s for a sibling that does not answer


@asynccontextmanager
async def strangers(cluster: Cluster) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a client that opens a connection for each request, so that any process may get it."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(cluster.url, connector=connector) as http:
        yield http


async def opened(http: aiohttp.ClientSession) -> str:
    """Open a session by polling and return its id."""
    async with http.get(OPEN) as response:
        sid: str = orjson.loads((await response.text())[1:])["sid"]
        return sid


async def say(http: aiohttp.ClientSession, sid: str, body: bytes | AsyncIterator[bytes]) -> tuple[int, str]:
    async with http.post(f"{OPEN}&sid={sid}", data=body) as response:
        return response.status, await response.text()


async def hear(http: aiohttp.ClientSession, sid: str) -> tuple[int, str]:
    async with http.get(f"{OPEN}&sid={sid}") as response:
        return response.status, await response.text()


async def test_each_request_of_a_session_may_come_over_another_connection(shared: Cluster) -> None:
    async with strangers(shared) as http:
        sid = await opened(http)
        token = orjson.dumps({"token": shared.token(new())})
        assert await say(http, sid, b"40" + token) == (200, "ok")
        heard = (await hear(http, sid))[1]
        while "connection_confirmed" not in heard:
            heard += (await hear(http, sid))[1]
        for n in range(REQUESTS):
            asked = orjson.dumps(["attempt_join", {"chat_id": new()}])
            assert await say(http, sid, b"42%d" % n + asked) == (200, "ok")
            assert f"43{n}[" in (await hear(http, sid))[1]
        await say(http, sid, b"1")


async def test_a_body_that_comes_in_pieces_arrives_whole(shared: Cluster) -> None:
    async def pieces(text: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(text), 20_000):
            yield text[start : start + 20_000]

    async with strangers(shared) as http:
        sid = await opened(http)
        await say(http, sid, b"40" + orjson.dumps({"token": shared.token(new())}))
        for n in range(8):
            asked: list[Any] = ["attempt_join", {"chat_id": "x" * 200_000}]
            assert await say(http, sid, pieces(b"42%d" % n + orjson.dumps(asked))) == (200, "ok")
            while f"43{n}[" not in (await hear(http, sid))[1]:
                pass


async def test_a_body_that_is_too_big_is_refused_wherever_it_comes(shared: Cluster) -> None:
    async with strangers(shared) as http:
        for _ in range(6):
            sid = await opened(http)
            status, said = await say(http, sid, b"4" + b"x" * (shared.settings.max_message + 1))
            assert (status, orjson.loads(said)["code"]) == (413, 3)


async def test_a_body_where_none_belongs_is_named_and_ends_no_session(shared: Cluster) -> None:
    names = [sibling.partition("-")[0] for sibling in await siblings(shared)]
    async with aiohttp.ClientSession(shared.url) as http:  # one connection: one id is at home, one is not
        told = {}
        for name in names:
            async with http.get(f"{OPEN}&sid=x-{name}.nobody", data=b"x") as response:
                told[orjson.loads(await response.text())["code"]] = await response.text()
                assert response.status == 400
    assert sorted(told) == [1, 3]
    assert "only a POST has a body" in told[3]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
async def test_a_body_is_never_taken_for_a_request(shared: Cluster, method: str) -> None:
    hidden = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    names = [sibling.partition("-")[0] for sibling in sorted(await siblings(shared))]
    assert len(names) == 2
    for name in names * 4:  # whoever gets the connection, one of both has to hand it over
        head = f"{method} {OPEN}&sid=x-{name}.nobody HTTP/1.1\r\nHost: x\r\nContent-Length: {len(hidden)}"
        reader, writer = await asyncio.open_connection("127.0.0.1", shared.settings.port)
        writer.write(head.encode() + b"\r\n\r\n")
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.readuntil(b"HTTP/1.1 ")
        writer.write(hidden)
        writer.write_eof()
        async with asyncio.timeout(2 * AT_ONCE):
            answers = await reader.read()
        assert b"alive" not in answers
        assert b'"status"' not in answers
        writer.close()


@pytest.mark.parametrize(
    "sid", ["00000000.none", "first-00000000.none", "../secret.x", "nothing", ".", f"{'a' * 4000}.x", "%00.x"]
)
async def test_an_id_of_nobody_is_unknown_at_once(shared: Cluster, sid: str) -> None:
    async with strangers(shared) as http:
        began = time.monotonic()
        for _ in range(4):
            status, said = await hear(http, sid)
            assert (status, orjson.loads(said)["code"]) == (400, 1)
            status, said = await say(http, sid, b"1")
            assert (status, orjson.loads(said)["code"]) == (400, 1)
        assert time.monotonic() - began < AT_ONCE


async def test_the_sessions_of_a_dead_process_are_unknown_at_once(mortal: Cluster) -> None:
    async with strangers(mortal) as http:
        found: dict[str, str] = {}
        while len(found) < 2:
            sid = await opened(http)
            found[await owner(mortal, sid)] = sid
        await mortal.kill("first")
        began = time.monotonic()
        for _ in range(4):
            status, said = await hear(http, found["first"])
            assert (status, orjson.loads(said)["code"]) == (400, 1)
        assert time.monotonic() - began < AT_ONCE
        assert (await say(http, found["second"], b"40{}"))[0] == 200
        await mortal.start()
        assert (await say(http, found["second"], b"41"))[0] == 200
        assert orjson.loads((await hear(http, found["first"]))[1])["code"] == 1


async def test_only_the_user_can_reach_the_way_between_processes(shared: Cluster) -> None:
    folder = Path(shared.settings.data_dir) / FOLDER
    assert folder.stat().st_mode & 0o777 == 0o700
    assert await siblings(shared) <= names_in(shared)


async def test_what_is_no_handed_request_is_dropped(mortal: Cluster) -> None:
    folder = os.open(Path(mortal.settings.data_dir) / FOLDER, os.O_RDONLY)
    for name in await siblings(mortal):
        for junk in (b"", b"\x00\x00\x00\x02ab", secrets.token_bytes(100)):
            with suppress(ConnectionRefusedError):  # one that a test has killed
                _, writer = await asyncio.open_unix_connection(f"/proc/self/fd/{folder}/{name}")
                writer.write(junk)
                writer.close()
    os.close(folder)
    async with strangers(mortal) as http:
        assert await opened(http)


async def test_a_stopped_server_leaves_nothing_behind(mortal: Cluster) -> None:
    running: set[str] = set()
    async with strangers(mortal) as http:
        while len(running) < 2:  # not those that a test has killed, which are forgotten only later
            running.add(sibling_of((await opened(http)).partition(".")[0]))
    assert running <= names_in(mortal)
    await mortal.stop(*mortal.servers)
    assert running.isdisjoint(await siblings(mortal))
    assert running.isdisjoint(names_in(mortal))


async def siblings(cluster: Cluster) -> set[str]:
    """Return the names of the servers among their siblings."""
    living = await cluster.store.processes.living()
    return {sibling_of(name) for name in living if name.partition("-")[0] in cluster.servers}


def names_in(cluster: Cluster) -> set[str]:
    return {path.name for path in (Path(cluster.settings.data_dir) / FOLDER).iterdir()}


async def owner(cluster: Cluster, sid: str) -> str:
    """Return which server has a session."""
    living = await cluster.store.processes.living()
    return next(name.split("-")[0] for name in living if sid.startswith(f"{name}."))
