"""Connection state recovery between processes that hear each other, and when they stop."""

from contextlib import AsyncExitStack
from dataclasses import replace

import aiohttp
import pytest
from pydantic import SecretStr

from server.engine.ids import new
from server.transports import keys
from tests.conformance.mongo_proxy import mongo_proxy
from tests.support.running import running, settings_for
from tests.transports.socketio.comebacks import NOTE, Client, follow_room
from tests.transports.socketio.product import product
from tests.transports.socketio.serving import closed, text


async def test_the_process_that_had_the_session_is_told_and_one_that_stops_gives_it_away(
    mongod_url: str, valkey_url: str
) -> None:
    settings = settings_for(mongod_url, "http://127.0.0.1:1/v1", redis_url=SecretStr(valkey_url))
    profile = new()
    room = f"profile_{profile}"
    async with AsyncExitStack() as stack, aiohttp.ClientSession() as http:
        here_url, here = await stack.enter_async_context(running(settings))
        token = here[keys.ACCESS].mint(role="learner", profile_id=profile, seconds=60)
        ada = Client(auth={"token": token, "recovery": True})
        async with running(settings) as (there_url, there):
            await ada.open(await _websocket(http, here_url))
            old = ada.ws
            await here[keys.HUB].log.publish(room, *NOTE)
            assert await ada.open(await _websocket(http, there_url))
            await closed(old)  # at once, long before anything is swept
            assert here[keys.SOCKETS].ended == {"replaced": 1}
            await ada.read()
            await there[keys.HUB].log.publish(room, *NOTE)
            await ada.read()
        await here[keys.HUB].log.publish(room, *NOTE)
        assert await ada.open(await _websocket(http, here_url))
        await ada.read()
        assert ada.of(room) == [1, 2, 3]


@pytest.mark.parametrize("late", ["aggregate", "findAndModify"])
async def test_of_two_at_once_the_last_to_come_is_left(mongod_url: str, late: str) -> None:
    command = b"\x02%b\x00\x09\x00\x00\x00sessions\x00" % late.encode()
    async with mongo_proxy(mongod_url, command=command) as proxy, product(proxy.url) as shop:
        newer = await follow_room(shop)
        await newer.drop()
        await shop.serving.gone()
        older = replace(newer, _ws=await shop.serving.open_websocket())
        proxy.hold()
        await older.ws.send_str(older.hello)
        await proxy.held.wait()
        proxy.command = b"nothing else is held"
        assert await newer.connect(shop)
        proxy.let_go()  # the older one hears of the session when the newer one has it
        await closed(older.ws)
        assert shop.serving.server.eio.ended["replaced"] == 1
        assert await newer.call("echo") == {"success": True, "data": {}}
        assert shop.recovery.connections == 1
        assert await shop.store.database.sessions.count_documents({}) == 1


async def _websocket(http: aiohttp.ClientSession, url: str) -> aiohttp.ClientWebSocketResponse:
    ws = await http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket")
    assert (await text(ws)).startswith("0")
    return ws
