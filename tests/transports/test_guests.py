"""People whom nobody knows: guests who are somebody else each time, and tokens that are tried out."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
import structlog
from aiohttp import ClientSession

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.transports.http_events import SESSIONS
from server.transports.keys import ADDRESS_BUCKETS, STORE
from server.transports.session_homes import MOST_WAITING
from tests.support.clients import http_client
from tests.support.running import Server, running, settings_for

Model = tuple[ScriptedModel, str]
RARELY = {"events_per_second": 0.01, "events_burst": 4}  # so an address has twenty


@pytest.fixture
async def server(mongod_url: str, model: Model) -> AsyncIterator[Server]:
    async with running(settings_for(mongod_url, model[1], **RARELY)) as (url, app):
        yield Server(url=url, app=app, model=model[0], model_url=model[1])


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def get(http: ClientSession, server: Server, **headers: str) -> int:
    async with http.get(f"{server.url}/api/v1/attempts", headers=headers) as answer:
        await answer.read()
        return answer.status


async def test_a_new_guest_with_each_request_comes_to_the_limit_of_the_address(
    server: Server, http: ClientSession
) -> None:
    assert [await get(http, server, **{"X-Guest-Id": new()}) for _ in range(21)] == [200] * 20 + [429]
    assert len(server.app[ADDRESS_BUCKETS]) == 1


async def test_a_new_guest_with_each_session_comes_to_it_too(server: Server, http: ClientSession) -> None:
    found = []
    for _ in range(21):
        body = orjson.dumps({"guest_id": new()})
        async with http.post(f"{server.url}/socket/v5/client/connect", data=body) as answer:
            found.append(answer.status)
    assert found == [200] * 20 + [429]


async def test_the_oldest_sessions_that_nobody_reads_make_room(mongod_url: str, model: Model) -> None:
    async with running(settings_for(mongod_url, model[1])) as (url, app):
        server = Server(url=url, app=app, model=model[0], model_url=model[1])
        token = server.token(new())
        async with http_client(url, token=token) as reader, http_client(url) as stranger:
            await reader.connect()  # the oldest, and in use
            await stranger.connect()
            ids = []
            async with ClientSession(headers={"Authorization": f"Bearer {token}"}) as http:
                for _ in range(MOST_WAITING + 2):
                    async with http.post(f"{url}/socket/v5/client/connect") as answer:
                        ids.append((await answer.json())["session_id"])
            sessions = app[SESSIONS]
            known = list(sessions)
            assert not {*ids[:2]} & {*known}
            assert known[2:] == ids[2:]  # after the two with a stream
            assert await app[STORE].sessions.find(ids[1]) is None
            assert await app[STORE].sessions.find(ids[2]) is not None


async def test_wrong_tokens_of_sessions_count_too(server: Server, http: ClientSession) -> None:
    found = []
    for _ in range(21):
        body = orjson.dumps({"token": "no.such.token"})
        async with http.post(f"{server.url}/socket/v5/client/connect", data=body) as answer:
            found.append(answer.status)
    assert found == [401] * 20 + [429]


async def test_tokens_cannot_be_tried_out_without_end(server: Server, http: ClientSession) -> None:
    wrong = {"Authorization": "Bearer no.such.token"}
    assert [await get(http, server, **wrong) for _ in range(21)] == [401] * 20 + [429]
    key = {"X-API-Key": "neither"}
    assert await get(http, server, **key) == 429
    known = {"Authorization": f"Bearer {server.token(new())}"}
    assert await get(http, server, **known) == 200  # who shares the address with them


async def test_one_guest_takes_nothing_from_the_others(server: Server, http: ClientSession) -> None:
    loud = {"X-Guest-Id": new()}
    assert [await get(http, server, **loud) for _ in range(40)] == [200] * 4 + [429] * 36
    for _ in range(4):
        quiet = {"X-Guest-Id": new()}
        assert [await get(http, server, **quiet) for _ in range(4)] == [200] * 4


async def test_a_client_that_leaves_in_mid_body_breaks_nothing(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    token = server.token(new(), role="author").encode()
    head = b"POST /api/v1/drafts HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer %b\r\n" % token
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(head + b'Content-Length: 99\r\n\r\n{"half":')
            await writer.drain()
            writer.transport.abort()
        async with ClientSession() as http:
            assert await get(http, server) == 200
    assert [entry for entry in logs if entry["log_level"] == "error"] == []
