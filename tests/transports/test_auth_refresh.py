"""Tokens that end, and newer ones for connections that stay."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import aiohttp

from server.engine.ids import new
from server.transports import keys
from server.transports.http_events import SESSIONS
from server.transports.http_stream import EventStream
from tests.conftest import Cast
from tests.support.clients import PATIENCE, Http, http_client, socket
from tests.support.running import Server, practice
from tests.transports.socketio.product import ADA, body, product
from tests.transports.socketio.serving import PATIENT, closed, text

SOON = 4  # seconds: soon over, and long enough for a busy machine to connect in


def stream_of(server: Server, client: Http) -> EventStream:
    """Return the open stream of a client's session."""
    sink = server.app[SESSIONS][client.headers["X-Session-Id"]].sink
    assert isinstance(sink, EventStream)
    return sink


def left(server: Server, client: Http) -> float:
    """Return in how many seconds the server looks at a client's token again."""
    timer = stream_of(server, client).expiry.timer
    assert timer is not None
    return timer.when() - asyncio.get_running_loop().time()


async def start(client: Http) -> None:
    """Do something that one's own room tells of."""
    await client.send("attempt/start", practice_id=practice("one"))


async def test_a_stream_goes_on_with_a_newer_token(server: Server, cast: Cast) -> None:
    async with http_client(server.url, token=server.token(cast.learner_id, seconds=60)) as client:
        await client.connect()
        reader, stream = client.reader, stream_of(server, client)
        await start(client)
        newer = server.token(cast.learner_id, seconds=1000)
        assert left(server, client) <= 60
        assert await client.send("auth_refresh", token=newer) == {"success": True}
        assert left(server, client) > 900
        await start(client)
        await client.until("attempt_started", count=2)
        assert stream_of(server, client) is stream
        assert not reader.done()
        offsets = [d["offset"] for _, d in client.seen if d.get("room", "").startswith("profile")]
        assert offsets == sorted(set(offsets))
        await client.drop()
        await client.resume()  # what is stored is newer too
        assert left(server, client) > 900


async def test_a_token_may_come_in_the_seconds_after_its_predecessor(server: Server, cast: Cast) -> None:
    async with http_client(server.url, token=server.token(cast.learner_id, seconds=SOON)) as client:
        await client.connect()
        await client.until("auth_expired")
        assert (await client.call("attempt/stop", chat_id=new()))["error"]["code"] == "unauthenticated"
        newer = server.token(cast.learner_id)
        await client.send("auth_refresh", token=newer)  # the header names the old one still
        assert left(server, client) > 900
        client.headers["Authorization"] = f"Bearer {newer}"
        await start(client)
        await client.until("attempt_started")
        assert len(client.named("auth_expired")) == 1


async def test_a_shorter_token_ends_the_stream_sooner(server: Server, cast: Cast) -> None:
    async with http_client(server.url, token=server.token(cast.learner_id)) as client:
        await client.connect()
        await client.send("auth_refresh", token=server.token(cast.learner_id, seconds=1))
        await client.until("auth_expired")


async def test_a_key_has_no_end(server: Server, cast: Cast) -> None:
    async with http_client(server.url, token=server.token(cast.learner_id)) as client:
        await client.connect()
        key = await server.app[keys.ACCESS].create_key(role="learner", profile_id=cast.learner_id)
        await client.send("auth_refresh", token=key)
        assert stream_of(server, client).expiry.timer is None


async def test_who_may_not_renew_a_session(server: Server, cast: Cast) -> None:
    client = await cast.http()
    own = server.token(cast.learner_id)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"token": server.token(new())}, "not_found"),
        ({"token": server.token(cast.learner_id, role="author")}, "forbidden"),
        ({"token": server.token(cast.learner_id, org="elsewhere")}, "forbidden"),
        ({"token": server.token(cast.learner_id, seconds=-5)}, "unauthenticated"),
        ({"token": "nonsense"}, "unauthenticated"),
        ({"token": 5}, "bad_request"),
        ({"token": None}, "bad_request"),
        ({}, "bad_request"),
    ]
    for data, code in cases:
        assert (await client.call("auth_refresh", **data))["error"]["code"] == code, data
    for session_id in (new(), "x", "\u00e4"):
        client.headers["X-Session-Id"], session = session_id, client.headers["X-Session-Id"]
        assert (await client.call("auth_refresh", token=own))["error"]["code"] == "not_found"
        client.headers["X-Session-Id"] = session
    del client.headers["X-Session-Id"]
    assert (await client.call("auth_refresh", token=own))["error"]["code"] == "bad_request"


async def test_a_body_that_is_no_object(server: Server, cast: Cast) -> None:
    client = await cast.http()
    address = f"{server.url}/socket/v5/client/auth_refresh"
    async with (
        aiohttp.ClientSession() as http,
        http.post(address, json=["token"], headers=client.headers) as response,
    ):
        assert response.status == 400


async def test_a_closed_session_is_not_renewed(server: Server, cast: Cast) -> None:
    client = await cast.http()
    await client.send("disconnect")
    answer = await client.call("auth_refresh", token=server.token(cast.learner_id))
    assert answer["error"]["code"] == "not_found"


async def test_events_in_the_seconds_after_the_end_are_answered(mongod_url: str) -> None:
    async with product(mongod_url, replace(PATIENT, expiry_grace=0.5)) as shop:
        shop.door.people["brief"] = replace(ADA, expires=time.time() + 0.2)
        ws = await shop.join('{"token":"brief"}')
        assert await text(ws) == '42["auth_expired",{}]'
        await ws.send_str('421["echo",{"n":1}]')
        assert body(await text(ws))[0] == {"success": True, "data": {"n": 1}}
        await closed(ws)
        assert len(shop.desk.calls) == 1


async def test_a_renewal_keeps_its_place_among_events(mongod_url: str) -> None:
    async with product(mongod_url, replace(PATIENT, expiry_grace=2)) as shop:
        shop.door.people["brief"] = replace(ADA, expires=time.time() + 0.2)
        newer = shop.door.people["next"] = replace(ADA, expires=time.time() + 60)
        ws = await shop.join('{"token":"brief"}')
        assert await text(ws) == '42["auth_expired",{}]'
        for packet in ('421["echo",{}]', '422["auth_refresh",{"token":"next"}]', '423["echo",{}]'):
            await ws.send_str(packet)
        assert [(await text(ws))[:4] for _ in range(3)] == ["431[", "432[", "433["]
        assert [call[2] is newer for call in shop.desk.calls] == [False, True]


async def test_over_a_real_socket(server: Server, cast: Cast) -> None:
    token = server.token(cast.learner_id, seconds=SOON)
    async with socket(server.url, {"token": token}) as client:
        await client.until("auth_expired")
        assert (await client.call("attempt_stop", chat_id=new()))["error"]["code"] == "not_found"
        await client.send("auth_refresh", token=server.token(cast.learner_id))
        await client.send("attempt_start", practice_id=practice("one"))


async def test_a_session_is_renewed_after_its_stream_has_ended(server: Server, cast: Cast) -> None:
    async with http_client(server.url, token=server.token(cast.learner_id, seconds=SOON)) as client:
        await client.connect()
        await client.until("auth_expired")
        async with asyncio.timeout(PATIENCE):
            await client.reader
        await client.send("auth_refresh", token=server.token(cast.learner_id))
        await client.resume()
