"""The cases of the Engine.IO 4 protocol suite."""

import asyncio

import aiohttp
import orjson
import pytest

from tests.transports.socketio.serving import Serving, closed, text


async def test_polling_handshake(server: Serving) -> None:
    async with server.http.get(server.path()) as response:
        assert response.status == 200
        body = await response.text()
    assert body[0] == "0"
    opening = orjson.loads(body[1:])
    sid = opening.pop("sid")
    assert isinstance(sid, str)
    assert opening == {
        "upgrades": ["websocket"],
        "pingInterval": 300,
        "pingTimeout": 200,
        "maxPayload": 1_000_000,
    }


@pytest.mark.parametrize(
    "query", ["transport=polling", "transport=polling&EIO=abc", "transport=polling&EIO=3"]
)
async def test_polling_with_a_wrong_version(server: Serving, query: str) -> None:
    async with server.http.get(f"{server.url}/socket.io/?{query}") as response:
        assert response.status == 400
        assert "version" in (await response.json())["message"]


@pytest.mark.parametrize("query", ["EIO=4", "EIO=4&transport=abc"])
async def test_polling_with_a_wrong_transport(server: Serving, query: str) -> None:
    async with server.http.get(f"{server.url}/socket.io/?{query}") as response:
        assert response.status == 400


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_polling_with_a_wrong_method(server: Serving, method: str) -> None:
    async with server.http.request(method, server.path()) as response:
        assert response.status == 400


async def test_websocket_handshake(server: Serving) -> None:
    ws = await server.http.ws_connect(server.path("websocket"))
    body = await text(ws)
    opening = orjson.loads(body[1:])
    assert body[0] == "0"
    assert opening["upgrades"] == []
    assert opening["pingInterval"] == 300


@pytest.mark.parametrize(
    "query", ["transport=websocket", "EIO=abc&transport=websocket", "EIO=4", "EIO=4&transport=abc"]
)
async def test_websocket_with_a_wrong_version_or_transport(server: Serving, query: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await server.http.ws_connect(f"{server.url}/socket.io/?{query}")
    assert server.server.peers == {}


async def test_polling_ping_and_pong(server: Serving) -> None:
    sid = await server.open_polling()
    for _ in range(3):
        assert await server.get(sid) == (200, "2")
        assert await server.post(sid, "3") == (200, "ok")


async def test_polling_ping_timeout(server: Serving) -> None:
    sid = await server.open_polling()
    assert await server.get(sid) == (200, "2")
    await server.gone()
    assert (await server.get(sid))[0] == 400
    assert server.server.eio.ended == {"ping timeout": 1}


async def test_websocket_ping_and_pong(server: Serving) -> None:
    ws = await server.open_websocket()
    for _ in range(3):
        assert await text(ws, pings=True) == "2"
        await ws.send_str("3")


async def test_websocket_ping_timeout(server: Serving) -> None:
    ws = await server.open_websocket()
    started = asyncio.get_running_loop().time()
    await closed(ws)
    assert asyncio.get_running_loop().time() - started >= 0.49
    await server.gone()
    assert server.server.eio.ended == {"ping timeout": 1}


async def test_polling_forced_close(server: Serving) -> None:
    sid = await server.open_polling()
    waiting = asyncio.create_task(server.get(sid))
    while server.server.eio.sockets[sid].outbox._waiting is None:
        await asyncio.sleep(0)
    assert await server.post(sid, "1") == (200, "ok")
    assert await waiting == (200, "6")
    assert (await server.get(sid))[0] == 400


async def test_websocket_forced_close(server: Serving) -> None:
    ws = await server.open_websocket()
    await ws.send_str("1")
    await closed(ws)
    assert server.server.eio.ended == {"client disconnect": 1}


async def upgraded(server: Serving) -> tuple[str, aiohttp.ClientWebSocketResponse]:
    sid = await server.open_polling()
    ws = await server.open_websocket(sid)
    await ws.send_str("2probe")
    assert await text(ws) == "3probe"
    await ws.send_str("5")
    await ws.send_str("40")
    assert (await text(ws)).startswith("40")
    return sid, ws


async def test_upgrade(server: Serving) -> None:
    _, ws = await upgraded(server)
    assert await text(ws) == '42["auth",{}]'
    await ws.send_str('42["message","hi"]')
    assert await text(ws) == '42["message-back","hi"]'


async def test_http_after_an_upgrade_is_refused(server: Serving) -> None:
    sid, ws = await upgraded(server)
    assert (await server.get(sid))[0] == 400
    assert (await server.post(sid, "4x"))[0] == 400
    await ws.send_str('42["message",1]')
    assert await text(ws) == '42["auth",{}]'
    assert await text(ws) == '42["message-back",1]'


async def test_a_second_websocket_after_an_upgrade_is_closed(server: Serving) -> None:
    sid, ws = await upgraded(server)
    second = await server.http.ws_connect(server.path("websocket", sid=sid))
    await closed(second)
    await ws.send_str('42["message",1]')
    assert await text(ws) == '42["auth",{}]'
    assert await text(ws) == '42["message-back",1]'


async def polled(server: Serving, sid: str, count: int) -> list[str]:
    """Collect packets other than pings over as many GETs as it takes."""
    seen: list[str] = []
    while len(seen) < count:
        status, body = await server.get(sid)
        assert status == 200, body
        for packet in body.split("\x1e"):
            if packet == "2":
                await server.post(sid, "3")
            else:
                seen.append(packet)
    return seen


async def test_post_one_packet_and_three(server: Serving) -> None:
    sid = await server.open_polling()
    assert await server.post(sid, "40") == (200, "ok")
    assert (await polled(server, sid, 2))[1] == '42["auth",{}]'
    body = "\x1e".join(f'42["message",{n}]' for n in (1, 2, 3))
    assert await server.post(sid, body) == (200, "ok")
    assert await polled(server, sid, 3) == [f'42["message-back",{n}]' for n in (1, 2, 3)]


async def test_post_text_and_binary(server: Serving) -> None:
    sid = await server.open_polling()
    await server.post(sid, "40")
    await polled(server, sid, 2)
    head = '451-["message",{"_placeholder":true,"num":0}]'
    assert await server.post(sid, head + "\x1ebAQIDBA==") == (200, "ok")
    back = '451-["message-back",{"_placeholder":true,"num":0}]'
    assert await polled(server, sid, 2) == [back, "bAQIDBA=="]


@pytest.mark.parametrize("body", ["abc", "", "4a\x1e", "0", "2", "5", "b***", b"4\xff"])
async def test_a_bad_packet_is_refused_and_closes(server: Serving, body: str | bytes) -> None:
    sid = await server.open_polling()
    assert (await server.post(sid, body))[0] == 400
    assert (await server.get(sid))[0] == 400
    assert server.server.eio.ended == {"parse error": 1}


async def test_duplicate_polls_close(server: Serving) -> None:
    sid = await server.open_polling()
    first = asyncio.create_task(server.get(sid))
    while server.server.eio.sockets[sid].outbox._waiting is None:
        await asyncio.sleep(0)
    assert (await server.get(sid))[0] == 400
    assert await first == (200, "1")
    assert (await server.get(sid))[0] == 400


async def test_a_poll_after_a_cancelled_one_closes(server: Serving) -> None:
    sid = await server.open_polling()
    first = asyncio.create_task(server.get(sid))
    while server.server.eio.sockets[sid].outbox._waiting is None:
        await asyncio.sleep(0)
    first.cancel()
    assert (await server.get(sid))[0] == 400
    await server.gone()


async def test_websocket_binary(server: Serving) -> None:
    ws = await server.open_websocket(connect="40")
    await ws.send_str('451-["message",{"_placeholder":true,"num":0}]')
    await ws.send_bytes(b"\x01\x02\x03\x04")
    assert await text(ws) == '451-["message-back",{"_placeholder":true,"num":0}]'
    assert (await ws.receive()).data == b"\x01\x02\x03\x04"


@pytest.mark.parametrize("packet", ["abc", "", "0", "2", "5", "9", "é"])
async def test_a_bad_packet_closes_a_websocket(server: Serving, packet: str) -> None:
    ws = await server.open_websocket()
    await ws.send_str(packet)
    await closed(ws)
    await server.gone()
    assert server.server.eio.ended == {"parse error": 1}
