"""Connection state recovery on the wire: who does not come back into a session, and gets another."""

import asyncio
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from schemas.envelope import utc_now
from server.engine.ids import new
from server.store.sessions import Session
from tests.transports.socketio.comebacks import NOTE, Client, change, follow_room, stored
from tests.transports.socketio.product import ADA, Product, body
from tests.transports.socketio.serving import closed, text


@pytest.mark.parametrize("seconds", [121, 119])
async def test_only_within_two_minutes(shop: Product, seconds: int) -> None:
    ada = await follow_room(shop)
    await ada.drop()
    await shop.serving.gone()
    await change(shop, ada, seen_at=utc_now() - timedelta(seconds=seconds))
    assert await ada.connect(shop) is (seconds < 120)


@pytest.mark.parametrize(("beaten", "found"), [(100, True), (121, False)])
async def test_after_a_kill_the_heartbeat_of_its_process_counts(
    pair: tuple[Product, Product], beaten: int, found: bool
) -> None:
    here, there = pair
    ada = await follow_room(there)  # nobody notes the end of its connection
    processes = here.store.database.processes
    await processes.insert_one({"_id": "killed", "until": utc_now() - timedelta(seconds=beaten)})
    await change(there, ada, seen_at=utc_now() - timedelta(minutes=10), process="killed")
    await here.recovery.sweep()
    assert await ada.connect(here) is found


async def test_sessions_of_the_living_outlast_a_database_that_was_away(pair: tuple[Product, Product]) -> None:
    here, there = pair
    ada = await follow_room(there)
    await change(there, ada, seen_at=utc_now() - timedelta(minutes=10))
    await here.recovery.sweep()
    await there.recovery.sweep()
    assert await ada.connect(here)


async def test_refused_is_a_new_session_that_carries_nothing_over(shop: Product) -> None:
    ada = await follow_room(shop)
    before = (ada.sid, ada.pid, ada.offset)
    await ada.drop()
    await shop.serving.gone()
    await change(shop, ada, seen_at=utc_now() - timedelta(hours=1))
    assert not await ada.connect(shop)
    assert (ada.sid, ada.pid) != before[:2]
    await shop.publish("room", NOTE)
    await ada.drop()
    await shop.publish(ADA.key, NOTE)
    assert ada.offset == before[2]  # the old string comes along, and means nothing here
    assert await ada.connect(shop)
    await ada.read()
    assert ada.got[2:] == [(ADA.key, 1)]


async def test_somebody_else_does_not_get_it_and_disturbs_nobody(shop: Product) -> None:
    ada = await follow_room(shop)
    for auth in ({"token": "ben"}, {}):
        thief = Client(auth={**auth, "recovery": True}, pid=ada.pid, sid=ada.sid, offset=ada.offset)
        assert not await thief.connect(shop)
    shop.door.people["ada"] = replace(ADA, role="author")
    assert not await replace(ada, got=[]).connect(shop)
    await shop.publish("room", NOTE)
    await ada.read()
    shop.door.people["ada"] = replace(ADA, expires=4e9)  # a newer token of the same person
    assert await ada.connect(shop)


async def test_leaving_ends_the_session(shop: Product) -> None:
    ada = await follow_room(shop)
    await ada.ws.send_str("41")
    await ada.drop()
    await shop.serving.gone()
    assert await stored(shop, ada) is None
    assert not await ada.connect(shop)


async def test_leaving_behind_a_slow_event_ends_the_session(shop: Product) -> None:
    ada = await follow_room(shop)
    await ada.ws.send_str('42["slow",{}]')
    await ada.ws.send_str("41")
    await ada.drop()
    await shop.serving.gone()
    assert await stored(shop, ada) is not None
    shop.desk.go.set()
    async with asyncio.timeout(20):
        while await stored(shop, ada) is not None:
            await asyncio.sleep(0)


async def test_another_epoch_means_other_numbers(shop: Product) -> None:
    ada = await follow_room(shop)
    await shop.process.renew_epoch()
    await closed(ada.ws)
    assert not await ada.connect(shop)
    await ada.drop()
    assert await ada.connect(shop)


async def test_a_room_that_is_not_allowed_any_more(shop: Product) -> None:
    ada = await follow_room(shop)
    await ada.drop()
    await shop.serving.gone()
    shop.door.closed.add("room")
    before = ada.pid
    assert not await ada.connect(shop)
    shop.door.closed.clear()
    assert not await replace(ada, pid=before).connect(shop)


async def test_a_place_that_is_not_kept(shop: Product) -> None:
    ada = await follow_room(shop, 4)
    first = replace(ada, offset=f"1.1{_rest(ada)}")
    await shop.store.entries.trim("room", upto=2, floor=0)
    await ada.drop()
    assert not await first.connect(shop)


async def test_a_place_past_the_end(shop: Product) -> None:
    ada = await follow_room(shop)
    await ada.drop()
    assert not await replace(ada, offset=f"3.1{_rest(ada)}").connect(shop)


def _rest(client: Client) -> str:
    """Return what follows the alias of the room in a client's string."""
    assert client.offset is not None
    return client.offset[client.offset.index(";") :]


@pytest.mark.parametrize(
    "pid", ["", "x", "x" * 10_000, 7, ["a"], {"$ne": None}, "\0", pytest.param(new(), id="unknown")]
)
async def test_an_unknown_session_is_a_new_one(shop: Product, pid: object) -> None:
    ada = Client(auth={"token": "ada", "recovery": True, "pid": pid, "offset": "1.0~0000"})
    assert not await ada.connect(shop)


@pytest.mark.parametrize("wanted", ["true", 1, [], {}])
async def test_asking_with_the_wrong_type_is_refused(shop: Product, wanted: object) -> None:
    ws = await shop.serving.open_websocket()
    await ws.send_str("40" + orjson.dumps({"token": "ada", "recovery": wanted}).decode())
    assert body(await text(ws))["data"]["code"] == "bad_request"


@pytest.mark.parametrize("asks", [{}, {"recovery": False}, {"recovery": None}])
async def test_who_does_not_ask_gets_nothing_of_it(shop: Product, asks: dict[str, Any]) -> None:
    ada = await follow_room(shop)
    await ada.drop()
    await shop.serving.gone()
    ws = await shop.serving.open_websocket()
    back = {"token": "ada", "pid": ada.pid, "offset": ada.offset, **asks}
    await ws.send_str("40" + orjson.dumps(back).decode())
    assert set(body(await text(ws))) == {"sid"}
    assert "recovered" not in body(await text(ws))[1]
    await shop.publish(ADA.key, NOTE)
    assert len(body(await text(ws))) == 2
    assert await shop.store.database.sessions.count_documents({}) == 1


async def test_sessions_that_nobody_comes_back_to_are_removed(shop: Product) -> None:
    ada = await follow_room(shop)
    await ada.drop()
    await shop.serving.gone()
    await change(shop, ada, seen_at=utc_now() - timedelta(hours=1))
    await shop.recovery.sweep()
    assert await shop.store.database.sessions.count_documents({}) == 0


async def test_nothing_is_left_of_clients_that_come_and_go(shop: Product) -> None:
    clients = [Client() for _ in range(20)]
    for _ in range(2):
        assert len({await client.connect(shop) for client in clients}) == 1
        assert shop.recovery.connections == 20
        await asyncio.gather(*[client.drop() for client in clients])
        await shop.serving.gone()
        assert shop.recovery.connections == 0
    for client in clients:
        assert await client.connect(shop)
        await client.ws.send_str("41")
        await client.drop()
    await shop.serving.gone()
    await shop.recovery.flush()
    assert await shop.store.database.sessions.count_documents({}) == 0


async def test_a_database_that_is_away_refuses_and_the_session_stays(pair: tuple[Product, Product]) -> None:
    here, there = pair
    ada = await follow_room(there)
    await ada.drop()
    await there.serving.gone()
    await there.recovery.flush()
    here.store.close()
    for client in (replace(ada), Client()):
        ws = await here.serving.open_websocket()
        await ws.send_str(client.hello)
        assert body(await text(ws))["data"]["code"] == "unavailable"
    assert await ada.connect(there)


async def test_a_session_over_http_is_none_of_a_socket(shop: Product) -> None:
    record = Session(id=new(), identity=asdict(ADA), aliases=0, process=shop.process.name, key="x")
    await shop.store.sessions.create(record)
    assert not await Client(pid=record.id).connect(shop)
    ada = await follow_room(shop)
    assert ada.pid is not None
    assert await shop.store.sessions.find(ada.pid) is None
