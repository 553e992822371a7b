"""Who connects, what is answered and in which order: the product over real rooms and a tiny desk."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import orjson
import pytest
import socketio

from server.engine.ids import new
from tests.transports.socketio.product import ADA, Product, body, product
from tests.transports.socketio.serving import PATIENT, closed, text


async def test_connect_confirms_and_then_follows_ones_own_room(shop: Product) -> None:
    ws = await shop.serving.open_websocket()
    await ws.send_str('40{"token":"ada"}')
    sid = body(await text(ws))["sid"]
    name, confirmed = body(await text(ws))
    assert name == "connection_confirmed"
    assert abs(confirmed.pop("server_time") - time.time()) < 60
    assert confirmed == {
        "sid": sid, "profile_id": ADA.id, "role": "learner", "protocol": 5, "epoch": shop.hub.epoch,
    }  # fmt: skip
    await shop.publish(ADA.key, ("attempt_started", b'{"attempt_id":"a"}'))
    name, entry = body(await text(ws))
    assert name == "attempt_started"
    assert (entry["room"], entry["offset"], entry["attempt_id"]) == (ADA.key, 1, "a")


async def test_what_was_before_is_not_repeated(shop: Product) -> None:
    await shop.publish(ADA.key, ("attempt_started", b"{}"))
    ws = await shop.join()
    await shop.publish(ADA.key, ("attempt_ended", b"{}"), ("attempt_started", b"{}"))
    assert [body(await text(ws))[1]["offset"] for _ in range(2)] == [2, 3]


async def test_guests_are_told_their_id(shop: Product) -> None:
    guest = new()
    ws = await shop.serving.open_websocket()
    await ws.send_str(f'40{{"guest_id":"{guest}"}}')
    await text(ws)
    confirmed = body(await text(ws))[1]
    assert confirmed["guest_id"] == guest
    assert "profile_id" not in confirmed


async def test_a_refusal_is_a_connect_error_with_a_reason(shop: Product) -> None:
    ws = await shop.serving.open_websocket()
    await ws.send_str('40{"token":"eve"}')
    reason = "The token is not valid."
    refusal = {"message": reason, "data": {"code": "unauthenticated", "message": reason}}
    assert await text(ws) == "44" + orjson.dumps(refusal).decode()
    await ws.send_str('40{"token":"ada"}')
    assert (await text(ws)).startswith('40{"sid"')


async def test_the_fifth_refusal_closes(shop: Product) -> None:
    ws = await shop.serving.open_websocket()
    for _ in range(5):
        await ws.send_str('40{"token":"eve"}')
        assert (await text(ws)).startswith("44")
    await closed(ws)


async def test_a_database_that_is_away_refuses_as_unavailable(shop: Product) -> None:
    shop.door.away = True
    ws = await shop.serving.open_websocket()
    await ws.send_str('40{"token":"ada"}')
    assert body(await text(ws))["data"]["code"] == "unavailable"


async def test_a_server_that_takes_too_long_blames_itself(mongod_url: str) -> None:
    async with product(mongod_url, replace(PATIENT, connect_timeout=0.2)) as shop:
        shop.door.hangs = True
        ws = await shop.serving.open_websocket()
        await ws.send_str('40{"token":"ada"}')
        refusal = body(await text(ws))
        assert refusal["data"]["code"] == "unavailable"
        shop.door.hangs = False
        await ws.send_str('40{"token":"ada"}')
        assert (await text(ws)).startswith('40{"sid":')
    assert shop.serving.server.eio.ended["overdue"] == 0


@pytest.mark.parametrize("auth", ['{"token":1}', '{"token":{"a":1}}', '{"guest_id":[]}'])
async def test_credentials_of_the_wrong_type_are_refused(shop: Product, auth: str) -> None:
    ws = await shop.serving.open_websocket()
    await ws.send_str("40" + auth)
    assert body(await text(ws))["data"]["code"] == "unauthenticated"


@pytest.mark.parametrize(
    ("headers", "query", "auth", "seen"),
    [
        ({"Authorization": "Bearer ada"}, "", "", ("ada", None, None)),
        ({"X-API-Key": "ben"}, "", "", (None, "ben", None)),
        ({}, "&token=ada", "", ("ada", None, None)),
        ({}, "&token=eve", '{"token":"ada"}', ("ada", None, None)),
        ({"X-API-Key": "ben"}, "", '{"guest_id":"x"}', (None, "ben", None)),
    ],
)
async def test_where_credentials_are_taken_from(
    shop: Product, headers: dict[str, str], query: str, auth: str, seen: tuple[str | None, ...]
) -> None:
    ws = await shop.serving.http.ws_connect(shop.serving.path("websocket") + query, headers=headers)
    await text(ws)
    await ws.send_str("40" + auth)
    assert (await text(ws)).startswith('40{"sid"')
    assert shop.door.seen == [seen]


async def test_another_scheme_than_bearer_does_not_turn_into_a_guest(shop: Product) -> None:
    headers = {"Authorization": "Basic ada"}
    ws = await shop.serving.http.ws_connect(shop.serving.path("websocket"), headers=headers)
    await text(ws)
    await ws.send_str("40")
    assert (await text(ws)).startswith("44")


async def test_a_refused_key_does_not_turn_into_a_guest(shop: Product) -> None:
    ws = await shop.serving.http.ws_connect(shop.serving.path("websocket"), headers={"X-API-Key": "eve"})
    await text(ws)
    for _ in range(2):
        await ws.send_str("40")
        assert (await text(ws)).startswith("44")


async def test_events_are_acknowledged_in_order(shop: Product) -> None:
    ws = await shop.join()
    await ws.send_str('421["slow",{"n":1}]')
    await ws.send_str('422["echo",{"n":2}]')
    await ws.send_str('42["echo",{"n":3}]')
    await ws.send_str('423["echo",{"n":4}]')
    shop.desk.go.set()
    answers = [await text(ws) for _ in range(3)]
    assert answers == [f'43{i}[{{"success":true,"data":{{"n":{n}}}}}]' for i, n in ((1, 1), (2, 2), (3, 4))]
    assert [call[0] for call in shop.desk.calls] == ["slow", "echo", "echo", "echo"]


async def test_notices_come_before_the_ack(shop: Product) -> None:
    ws = await shop.join()
    await ws.send_str('429["tell",{}]')
    assert await text(ws) == '42["attempt_error",{"message":"no"}]'
    assert (await text(ws)).startswith("439[")


async def test_a_join_is_acknowledged_before_its_entries(shop: Product) -> None:
    await shop.publish("room", *(("attempt_ended", b'{"n":%d}' % n) for n in range(1000)))
    ws = await shop.join()
    await ws.send_str('421["join",{}]')
    assert await text(ws) == '431[{"success":true,"offset":1000}]'
    await shop.publish("room", ("attempt_ended", b'{"n":1000}'))
    assert [body(await text(ws))[1]["offset"] for _ in range(1001)] == list(range(1, 1002))


async def test_pongs_do_not_wait_for_events(mongod_url: str) -> None:
    limits = replace(PATIENT, ping_interval=0.1, ping_timeout=0.1)
    async with product(mongod_url, limits) as shop:
        ws = await shop.join()
        await ws.send_str('421["slow",{}]')
        for _ in range(5):
            assert await text(ws, pings=True) == "2"
            await ws.send_str("3")
        shop.desk.go.set()
        assert (await text(ws)).startswith("431[")


@pytest.mark.parametrize(
    "args", ["", ",{},{}", ",NaN", ',"\\ud800"', "," + "[" * 5000, "," + "9" * 50_000, ",Infinity", ",{"]
)
async def test_what_cannot_be_an_event_is_answered(shop: Product, args: str) -> None:
    ws = await shop.join()
    await ws.send_str(f'427["echo"{args}]')
    name, notice = body(await text(ws))
    ack = await text(ws)
    assert (name, notice["code"]) == ("attempt_error", "bad_request")
    assert ack.startswith("437[")
    failure = body(ack)[0]
    assert failure["success"] is False
    assert failure["error"]["code"] == "bad_request"
    assert failure["error"]["message"] == notice["message"]
    assert shop.desk.calls == []


async def test_a_payload_that_is_no_object_is_for_the_dispatcher(shop: Product) -> None:
    ws = await shop.join()
    await ws.send_str('421["echo",[1]]')
    assert body(await text(ws))[0]["error"]["code"] == "bad_request"
    assert shop.desk.calls[0][1] == [1]


async def test_a_name_that_is_too_long(shop: Product) -> None:
    ws = await shop.join()
    await ws.send_str(f'421["{"x" * 65}",{{}}]')
    assert body(await text(ws))[1]["code"] == "bad_request"


async def test_events_beyond_the_queue_are_rate_limited(shop: Product) -> None:
    ws = await shop.join()
    await ws.send_str('420["slow",{}]')
    for number in range(1, 71):
        await ws.send_str(f'42{number}["echo",{{}}]')
    refused = []
    for _ in range(6):
        assert body(await text(ws))[1]["code"] == "rate_limited"
        refused.append(await text(ws))
    shop.desk.go.set()
    answered = [await text(ws) for _ in range(65)]
    assert [r[2:4] for r in refused] == ["65", "66", "67", "68", "69", "70"]
    assert body(refused[0])[0]["error"]["retry_after"] == 1.0
    assert all('"success":true' in a for a in answered)


async def test_a_token_that_expires_is_told_and_closed(mongod_url: str) -> None:
    async with product(mongod_url, replace(PATIENT, expiry_grace=0.2)) as shop:
        shop.door.people["brief"] = replace(ADA, expires=time.time() + 0.3)
        ws = await shop.join('{"token":"brief"}')
        assert await text(ws) == '42["auth_expired",{}]'
        await closed(ws)
        assert shop.serving.server.eio.ended == {"token expired": 1}


async def test_a_token_may_be_refreshed(mongod_url: str) -> None:
    async with product(mongod_url, replace(PATIENT, expiry_grace=0.3)) as shop:
        shop.door.people["brief"] = replace(ADA, expires=time.time() + 0.3)
        shop.door.people["next"] = replace(ADA, expires=time.time() + 60)
        ws = await shop.join('{"token":"brief"}')
        assert await text(ws) == '42["auth_expired",{}]'
        await ws.send_str('421["auth_refresh",{"token":"next"}]')
        assert await text(ws) == '431[{"success":true}]'
        await ws.send_str('422["echo",{}]')
        assert (await text(ws)).startswith("432[")
        assert shop.desk.calls[-1][2] == shop.door.people["next"]
        peer = next(iter(shop.serving.server.peers.values()))
        timer = peer.clients["/"].session.expiry.timer
        assert timer.when() - asyncio.get_running_loop().time() > 30


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ('{"token":"ben"}', "forbidden"), ('{"token":"eve"}', "unauthenticated"), ("{}", "bad_request"),
        ("[]", "bad_request"), ('{"token":5}', "bad_request"), ('{"token":null}', "bad_request"),
    ],
)  # fmt: skip
async def test_a_refresh_that_is_refused_changes_nothing(shop: Product, data: str, code: str) -> None:
    ws = await shop.join()
    await ws.send_str(f'421["auth_refresh",{data}]')
    assert body(await text(ws))[1]["code"] == code
    assert body(await text(ws))[0]["error"]["code"] == code
    await ws.send_str('422["echo",{}]')
    await text(ws)
    assert shop.desk.calls[-1][2] == ADA


async def test_a_client_that_leaves_is_out_of_its_rooms(shop: Product) -> None:
    ws = await shop.join()
    room = await shop.hub.room(ADA.key)
    assert len(room.live) == 1
    await ws.close()
    await shop.serving.gone()
    assert len(room.live) == 0


async def test_what_was_sent_before_leaving_is_handled_and_joins_nothing(shop: Product) -> None:
    ws = await shop.join()
    await ws.send_str('42["slow",{}]')
    await ws.send_str('42["join",{}]')
    await ws.send_str('42["echo",{"last":true}]')
    await ws.close()
    await shop.serving.gone()
    shop.desk.go.set()
    async with asyncio.timeout(20):
        while len(shop.desk.calls) < 3:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not (await shop.hub.room("room")).live
    assert not (await shop.hub.room(ADA.key)).live


async def test_an_emit_right_before_disconnecting_is_handled(shop: Product) -> None:
    ws = await shop.join()
    await ws.send_str('42["echo",{"n":1}]')
    await ws.send_str("41")
    await ws.close()
    await shop.serving.gone()
    assert [call[0] for call in shop.desk.calls] == ["echo"]


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
async def test_python_socketio_talks_over_every_transport(shop: Product, transports: list[str]) -> None:
    client = socketio.AsyncClient(reconnection=False)
    seen: list[tuple[str, Any]] = []
    whole = asyncio.Event()

    def record(name: str, data: Any) -> None:
        seen.append((name, data))
        if data.get("offset") == 500:
            whole.set()

    client.on("*", record)
    await client.connect(shop.serving.url, auth={"token": "ada"}, transports=transports)
    try:
        answer = await client.call("echo", {"text": "äöü€😀", "n": [1, 2.5, None]})
        assert answer == {"success": True, "data": {"text": "äöü€😀", "n": [1, 2.5, None]}}
        for start in range(0, 500, 50):
            await shop.publish(ADA.key, *[("attempt_progress", b"{}")] * 50)
            await client.call("echo", {"start": start})
        async with asyncio.timeout(60):
            await whole.wait()
    finally:
        await client.disconnect()
        await client.shutdown()
    assert seen[0][0] == "connection_confirmed"
    assert [data["offset"] for name, data in seen[1:]] == list(range(1, 501))
