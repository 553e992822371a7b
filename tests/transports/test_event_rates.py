"""Clients that send more than they may, over sockets and over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import orjson

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.settings import Settings
from server.transports.keys import BUCKETS
from server.transports.rates import Rate
from server.transports.socketio.limits import Limits
from tests.support.clients import PATIENCE, http_client, socket
from tests.support.passing import passes
from tests.support.rest import people_of
from tests.support.running import Server, running, settings_for
from tests.transports.socketio.product import body, product
from tests.transports.socketio.serving import PATIENT, closed, text

SLOW = Rate(per_second=0.5, burst=5)  # slow enough that a busy machine sends five in time
LIMITED = replace(PATIENT, rate=SLOW)


@asynccontextmanager
async def limited(mongod_url: str, model: tuple[ScriptedModel, str], **changes: Any) -> AsyncIterator[Server]:
    """Run the whole server; the default is five events at once and two in a second."""
    settings = settings_for(mongod_url, model[1], **{"events_per_second": 2.0, "events_burst": 5, **changes})
    async with running(settings) as (url, app):
        yield Server(url=url, app=app, model=model[0], model_url=model[1])


async def refusal(ws: aiohttp.ClientWebSocketResponse) -> tuple[str, dict[str, Any]]:
    """Read the notice and the ack of a refused event; return the number of the ack, and the error."""
    name, notice = body(await text(ws))
    ack = await text(ws)
    error = body(ack)[0]["error"]
    assert (name, notice["type"]) == ("attempt_error", "rate_limit")
    assert error["code"] == notice["code"] == "rate_limited"
    assert error["retryable"] is True
    return ack[2 : ack.index("[")], error


async def test_a_burst_is_answered_and_the_next_event_refused(mongod_url: str) -> None:
    async with product(mongod_url, LIMITED) as shop:
        ws = await shop.join()  # its CONNECT was the first packet
        for number in range(1, 6):
            await ws.send_str(f'42{number}["echo",{{"n":{number}}}]')
        for number in range(1, 5):
            assert body(await text(ws))[0]["data"] == {"n": number}
        number_, error = await refusal(ws)
        assert number_ == "5"
        assert 0 < error["retry_after"] <= 1 / SLOW.per_second
        assert len(shop.desk.calls) == 4
        await passes(error["retry_after"], because="the server said so")
        await ws.send_str('426["echo",{}]')
        assert body(await text(ws))[0]["success"] is True


async def test_a_refused_event_is_not_validated(mongod_url: str) -> None:
    async with product(mongod_url, replace(LIMITED, rate=Rate(per_second=0.1, burst=1))) as shop:
        ws = await shop.join()
        for event in ('["echo"]', '["echo",NaN]', '["echo",{},{}]', '["auth_refresh",{"token":"ada"}]'):
            await ws.send_str("421" + event)
            await refusal(ws)
        assert shop.desk.calls == []


async def test_known_events_are_refused_by_the_error_event_of_their_family(mongod_url: str) -> None:
    async with product(mongod_url, replace(LIMITED, rate=Rate(per_second=0.1, burst=1))) as shop:
        ws = await shop.join()
        for event, notice in (("generate", "generation_error"), ("test_start", "test_error")):
            await ws.send_str(f'42["{event}",{{}}]')
            assert body(await text(ws))[0] == notice


async def test_refusals_keep_their_place_behind_what_is_being_handled(mongod_url: str) -> None:
    async with product(mongod_url, replace(LIMITED, rate=Rate(per_second=0.1, burst=3))) as shop:
        ws = await shop.join()
        await ws.send_str('421["slow",{}]')
        for number in range(2, 6):
            await ws.send_str(f'42{number}["echo",{{}}]')
        async with asyncio.timeout(PATIENCE):
            while not shop.desk.calls:
                await asyncio.sleep(0)
        shop.desk.go.set()
        assert (await text(ws)).startswith("431[")
        assert (await text(ws)).startswith("432[")
        assert [(await refusal(ws))[0] for _ in range(3)] == ["3", "4", "5"]


async def test_pongs_and_acks_do_not_count(mongod_url: str) -> None:
    async with product(mongod_url, replace(LIMITED, rate=Rate(per_second=0.1, burst=2))) as shop:
        ws = await shop.join()
        for _ in range(50):
            await ws.send_str("3")
            await ws.send_str("439[1]")
        await ws.send_str('421["echo",{}]')
        assert (await text(ws)).startswith("431[")


async def test_who_stays_over_the_limit_is_disconnected(mongod_url: str) -> None:
    limits = replace(LIMITED, over_seconds=0.5)
    async with product(mongod_url, limits) as shop:
        ws, other = await shop.join(), await shop.join('{"token":"ben"}')
        started = asyncio.get_running_loop().time()
        flood = asyncio.create_task(flood_of(ws))
        await closed(ws)
        flood.cancel()
        await asyncio.gather(flood, return_exceptions=True)
        assert asyncio.get_running_loop().time() - started >= 0.5
        assert shop.serving.server.eio.ended == {"rate limited": 1}
        assert len(shop.desk.calls) < 10
        await other.send_str('421["echo",{}]')
        assert (await text(other)).startswith("431[")


async def flood_of(ws: aiohttp.ClientWebSocketResponse) -> None:
    while not ws.closed:
        await ws.send_str('42["echo",{}]')
        await passes(0.01, because="a flood has a rate")


async def test_who_comes_back_to_the_limit_stays(mongod_url: str) -> None:
    async with product(mongod_url, replace(LIMITED, over_seconds=0.5)) as shop:
        ws = await shop.join()
        for _ in range(3):
            for number in range(8):
                await ws.send_str(f'42{number}["echo",{{}}]')
            while (await text(ws))[:3] != "437":
                pass
            await passes(1.2, because="a second without a refusal ends the count")
        assert shop.serving.server.eio.ended == {}


async def test_connecting_again_and_again_counts(mongod_url: str) -> None:
    async with product(mongod_url, LIMITED) as shop:
        ws = await shop.join()
        for _ in range(10):
            await ws.send_str("41")
            await ws.send_str('40{"token":"ada"}')
        await closed(ws)
        assert shop.serving.server.eio.ended == {"parse error": 1}
        assert len(shop.door.seen) < 10


async def test_polling_counts_packets_not_requests(mongod_url: str) -> None:
    async with product(mongod_url, LIMITED) as shop:
        sid = await shop.serving.open_polling()
        await shop.serving.post(sid, '40{"token":"ada"}')
        while '"connection_confirmed"' not in (await shop.serving.get(sid))[1]:
            pass
        events = [f'42{number}["echo",{{}}]' for number in range(7)]
        assert await shop.serving.post(sid, "\x1e".join(events)) == (200, "ok")
        found = ""
        while "436[" not in found:
            found += (await shop.serving.get(sid))[1]
        assert found.count('"success":true') == 4
        assert found.count('"success":false') == 3


async def test_posted_events_and_rest_share_one_limit(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    async with limited(mongod_url, model, events_burst=6) as server, people_of(server) as people:
        profile = new()
        rest = people.a("learner", profile=profile)
        async with http_client(server.url, token=server.token(profile)) as client:
            for _ in range(3):
                await rest.get("attempts")
                assert (await client.call("attempt/stop", chat_id=new()))["error"]["code"] == "not_found"
            answer = await client.call("attempt/stop", chat_id=new())
            assert client.status == 429
            assert answer["error"]["code"] == "rate_limited"
            assert 0 < answer["error"]["retry_after"] <= 0.5
            assert orjson.loads(await rest.ask("GET", "attempts", status=429))["success"] is False
            assert rest.answered["Retry-After"] == "1"
            await people.a("learner").get("attempts")  # somebody else
            await passes(0.5, because="the limit gives one event in half a second")
            await rest.get("attempts")


async def test_sockets_and_http_do_not_take_from_each_other(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    async with limited(mongod_url, model, events_per_second=0.01) as server, people_of(server) as people:
        profile = new()
        rest = people.a("learner", profile=profile)
        for _ in range(5):
            await rest.get("attempts")
        await rest.get("attempts", status=429)
        async with socket(server.url, {"token": server.token(profile)}) as client:
            assert (await client.call("attempt_stop", chat_id=new()))["error"]["code"] == "not_found"


async def test_guests_without_a_name_are_counted_by_address(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    async with limited(mongod_url, model, events_per_second=0.01) as server:
        async with http_client(server.url) as nobody:
            codes = [(await nobody.call("attempt/stop", chat_id=new()))["error"]["code"] for _ in range(6)]
            assert codes == ["not_found"] * 5 + ["rate_limited"]
            assert (await nobody.call("connect"))["error"]["code"] == "rate_limited"
            nobody.headers = {"X-Guest-Id": new()}
            assert (await nobody.call("connect"))["success"]
        assert len(server.app[BUCKETS]) == 2


async def test_a_stream_may_be_read_by_who_is_over_the_limit(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    async with (
        limited(mongod_url, model, events_per_second=0.01) as server,
        http_client(server.url, token=server.token(new())) as client,
    ):
        await client.connect()
        while client.status != 429:
            await client.call("attempt/stop", chat_id=new())
        await client.drop()
        await client.resume()


def test_the_limits_by_default() -> None:
    limits = Limits.of(Settings())
    assert limits.rate == Rate(per_second=20.0, burst=50)
    assert limits.over_seconds == 10.0
