"""Where the stock stack breaks the protocol or keeps what is dead, and this one does not."""

import asyncio
import gzip
import socket as stdsocket
from collections.abc import AsyncIterator

import aiohttp
import pytest
import uvloop

from server.transports.socketio.frames import Packet
from server.transports.socketio.origins import Origins
from server.transports.socketio.outbox import HIGH_WATER, SLOW
from tests.transports.socketio.serving import PROFILE, Echo, Serving, closed, serving, text
from tests.transports.socketio.test_engine_protocol import polled, upgraded


async def test_a_burst_of_forty_packets_in_one_post_is_handled(patient: Serving) -> None:
    sid = await patient.open_polling()
    body = "\x1e".join(["40", *(f'42["message",{n}]' for n in range(40))])
    assert await patient.post(sid, body) == (200, "ok")
    seen = await polled(patient, sid, 42)
    assert seen[2:] == [f'42["message-back",{n}]' for n in range(40)]


async def test_more_than_the_queue_holds_is_answered_not_dropped(patient: Serving) -> None:
    ws = await patient.open_websocket(connect="40")
    peer = next(iter(patient.server.peers.values()))
    for number in range(100):
        peer.receive(f'2["message",{number}]')
    for number in range(64):
        assert await text(ws) == f'42["message-back",{number}]'
    assert patient.app.overflown == 36


async def segments(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]
        await asyncio.sleep(0)


async def test_a_body_in_many_segments_is_read_whole(patient: Serving) -> None:
    sid = await patient.open_polling()
    await patient.post(sid, "40")
    await polled(patient, sid, 2)
    message = "x" * 50_000
    body = f'42["message","{message}"]'.encode()
    async with patient.http.post(patient.path(sid=sid), data=segments(body, 999)) as response:
        assert response.status == 200
    assert await polled(patient, sid, 1) == [f'42["message-back","{message}"]']


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_body_over_the_limit_is_refused_and_closes(patient: Serving, chunked: bool) -> None:
    sid = await patient.open_polling()
    body = b"4" * (64 * 1024 + 1)
    data = segments(body, 10_000) if chunked else body
    async with patient.http.post(patient.path(sid=sid), data=data) as response:
        assert response.status == 413
    assert (await patient.get(sid))[0] == 400
    assert patient.server.eio.ended == {"too large": 1}


async def test_a_body_is_counted_after_decompression(patient: Serving) -> None:
    sid = await patient.open_polling()
    headers = {"Content-Encoding": "gzip"}
    bomb = gzip.compress(b"4" * 10_000_000)
    async with patient.http.post(patient.path(sid=sid), data=bomb, headers=headers) as response:
        assert response.status == 413


async def test_a_body_that_is_no_gzip_is_refused(patient: Serving) -> None:
    sid = await patient.open_polling()
    headers = {"Content-Encoding": "gzip"}
    async with patient.http.post(patient.path(sid=sid), data=b"40 but not gzip", headers=headers) as response:
        assert response.status == 400
    assert (await patient.get(sid))[0] == 400


async def test_a_body_that_does_not_come_is_refused_in_time(server: Serving) -> None:
    sid = await server.open_polling()
    port = int(server.url.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    path = server.path(sid=sid).removeprefix(server.url)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n40".encode())
    async with asyncio.timeout(9):
        assert b" 408 " in await reader.readline()
    writer.close()
    await writer.wait_closed()
    await server.gone()


async def test_two_posts_at_once_close(patient: Serving) -> None:
    sid = await patient.open_polling()
    hold = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"40"
        await hold.wait()

    first = asyncio.create_task(patient.http.post(patient.path(sid=sid), data=slow()))
    while not patient.server.eio.sockets[sid].posting:
        await asyncio.sleep(0)
    assert (await patient.post(sid, "3"))[0] == 400
    hold.set()
    (await first).release()
    await patient.gone()


async def test_a_websocket_message_at_the_limit_and_over_it(patient: Serving) -> None:
    ws = await patient.open_websocket(connect="40")
    frame = '42["message","{}"]'
    padding = 64 * 1024 - len(frame) + 2
    await ws.send_str(frame.format("x" * padding))
    assert len(await text(ws)) > padding
    await ws.send_str(frame.format("x" * (padding + 1)))
    await closed(ws)
    await patient.gone()


async def test_a_stalled_upgrade_is_cut_and_polling_goes_on(server: Serving) -> None:
    sid = await server.open_polling()
    await server.post(sid, "40")
    await polled(server, sid, 2)
    ws = await server.open_websocket(sid)
    await ws.send_str("2probe")
    assert await text(ws) == "3probe"
    seen = polled_until_closed = asyncio.create_task(closed(ws))
    for number in range(3):
        await server.post(sid, f'42["message",{number}]')
    while not polled_until_closed.done():
        status, body = await server.get(sid)
        assert status == 200
        if "2" in body.split("\x1e"):
            await server.post(sid, "3")
        for packet in body.split("\x1e"):
            if packet.startswith("42"):
                server.app.events.append(packet)
    await seen
    await server.post(sid, '42["message",3]')
    last = await polled(server, sid, 1)
    heard = [e for e in server.app.events if isinstance(e, str)] + [p for p in last if p != "6"]
    assert heard == [f'42["message-back",{n}]' for n in range(4)]


@pytest.mark.parametrize("said", [[], ["2probe", "4x"], ["3probe"], ["2probe", "2probe"]])
async def test_a_failed_upgrade_loses_nothing(patient: Serving, said: list[str]) -> None:
    sid = await patient.open_polling()
    await patient.post(sid, "40")
    await polled(patient, sid, 2)
    ws = await patient.open_websocket(sid)
    for packet in said:
        await ws.send_str(packet)
    if said[:1] == ["2probe"]:
        assert await text(ws) == "3probe"
    await patient.post(sid, '42["message",1]')
    await ws.close()
    while patient.server.eio.sockets[sid].moving:
        await asyncio.sleep(0)
    await patient.post(sid, '42["message",2]')
    assert await polled(patient, sid, 2) == ['42["message-back",1]', '42["message-back",2]']


async def test_a_second_upgrade_at_once_is_closed_and_the_first_goes_on(patient: Serving) -> None:
    sid = await patient.open_polling()
    first = await patient.open_websocket(sid)
    await first.send_str("2probe")
    assert await text(first) == "3probe"
    await closed(await patient.http.ws_connect(patient.path("websocket", sid=sid)))
    await first.send_str("5")
    await first.send_str("40")
    assert (await text(first)).startswith("40")


async def test_a_session_that_closes_takes_its_upgrade_with_it(patient: Serving) -> None:
    sid = await patient.open_polling()
    ws = await patient.open_websocket(sid)
    await patient.post(sid, "1")
    await closed(ws)
    await patient.gone()


async def test_an_unknown_session_or_version_on_the_way(patient: Serving) -> None:
    sid = await patient.open_polling()
    for path in (patient.path(sid="nobody"), patient.path(sid="a%0d%0ab"), patient.path(sid=sid, eio="3")):
        async with patient.http.get(path) as response:
            assert response.status == 400
    async with patient.http.get(patient.path() + "&j=0") as response:
        assert response.status == 400
    async with patient.http.get(patient.path("websocket", sid=sid)) as response:
        assert response.status == 400


def wire_of(ws: aiohttp.ClientWebSocketResponse) -> asyncio.Transport:
    """Return the client's end of a WebSocket."""
    connection = ws._response.connection
    assert connection is not None
    assert connection.transport is not None
    return connection.transport


async def test_a_slow_consumer_is_cut_and_the_others_are_not(patient: Serving) -> None:
    slow = await patient.open_websocket(connect="40")
    good = await patient.open_websocket(connect="40")
    wire_of(slow).pause_reading()
    victim = patient.app.clients[0].peer.socket
    while victim.outbox.size <= 8 * HIGH_WATER:  # past what the kernels swallow
        victim.outbox.send(Packet(b"4" + bytes(16 * 1024)))
        await asyncio.sleep(0)
    await good.send_str('42["message","still here"]')
    assert await text(good) == '42["message-back","still here"]'
    async with asyncio.timeout(60):
        await patient.app.somebody_left.wait()
    assert patient.server.eio.ended == {SLOW: 1}
    await good.send_str('42["message","and again"]')
    assert await text(good) == '42["message-back","and again"]'


async def test_the_send_buffer_of_a_websocket_is_small(patient: Serving) -> None:
    await patient.open_websocket()
    wire = next(iter(patient.server.eio.sockets.values()))._wire
    raw = wire.get_extra_info("socket") if wire else None
    assert raw is not None
    assert raw.getsockopt(stdsocket.SOL_SOCKET, stdsocket.SO_SNDBUF) == 2 * 64 * 1024  # Linux counts twice


async def test_compression_is_off(patient: Serving) -> None:
    ws = await patient.open_websocket(compress=15)
    assert not ws.compress


async def test_the_peer_is_known_by_its_address(patient: Serving) -> None:
    await patient.open_websocket()
    assert [s.remote for s in patient.server.eio.sockets.values()] == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("own", True),
        ("https://app.example.org", True),
        ("null", False),
        ("https://example.org", False),
        ("https://app.example.org.evil.test", False),
        ("http://app.example.org", False),
        ("*", False),
    ],
)
async def test_origins(origin: str | None, allowed: bool) -> None:
    async with serving(origins=("https://app.example.org",)) as server:
        sent = {"Origin": server.url if origin == "own" else origin} if origin else {}
        async with server.http.get(server.path(), headers=sent) as response:
            assert response.status == (200 if allowed else 403)
            if allowed and sent:
                assert response.headers["Access-Control-Allow-Origin"] == sent["Origin"]
                assert response.headers["Vary"] == "Origin"
            else:
                assert "Access-Control-Allow-Origin" not in response.headers
        async with server.http.options(server.path(), headers=sent) as response:
            assert response.status == (204 if allowed else 403)
        if not allowed:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await server.http.ws_connect(server.path("websocket"), headers=sent)


@pytest.mark.parametrize("origin", ["*", "https://*.example.org", "example.org"])
def test_wildcards_are_no_origins(origin: str) -> None:
    with pytest.raises(ValueError, match="cors_origins"):
        Origins([origin])


async def test_a_dropped_tcp_connection_is_noticed_at_once(patient: Serving) -> None:
    ws = await patient.open_websocket(connect="40")
    wire_of(ws).abort()
    await patient.gone()
    assert set(patient.app.gone) == set(patient.app.clients)


async def test_everything_is_forgotten_after_many_ends(server: Serving) -> None:
    tasks = len(asyncio.all_tasks())
    for _ in range(20):
        sid = await server.open_polling()
        await server.post(sid, "40")
        ws = await server.open_websocket(connect="40")
        await ws.send_str("41")
        other = await server.open_websocket(connect="40")
        await other.send_str("42{}")
        await closed(other)
        await ws.close()
        moving = await server.open_websocket(sid)
        await moving.send_str("2probe")
        await moving.close()
    await server.gone()
    assert set(server.app.gone) == set(server.app.clients)
    await server.http.close()
    async with asyncio.timeout(9):
        while len(asyncio.all_tasks()) > tasks:
            await asyncio.sleep(0)


async def test_a_server_that_stops_releases_everybody(patient: Serving) -> None:
    sid = await patient.open_polling()
    poll = asyncio.create_task(patient.get(sid))
    ws = await patient.open_websocket(connect="40")
    while patient.server.eio.sockets[sid].outbox._waiting is None:
        await asyncio.sleep(0)
    await patient.server.close(patience=1)
    assert await poll == (200, "1")
    await closed(ws)
    assert patient.server.peers == {}
    async with patient.http.get(patient.path()) as response:
        assert response.status == 503


def test_uvloop_serves_as_well() -> None:
    async def scenario() -> None:
        async with serving() as server:
            await test_a_dropped_tcp_connection_is_noticed_at_once(server)
            ws = await server.open_websocket(connect="40")
            await ws.send_str("42{}")
            await closed(ws)
            _, moved = await upgraded(server)
            assert await text(moved) == '42["auth",{}]'
            await moved.close()
            await server.gone()

    uvloop.run(scenario())


async def test_a_handler_that_breaks_closes_its_client_and_leaks_nothing() -> None:
    class Broken(Echo):
        async def event(self, client: object, event: object) -> None:
            raise ZeroDivisionError

    async with serving(Broken(), limits=PROFILE) as server:
        ws = await server.open_websocket(connect="40")
        await ws.send_str('42["message",1]')
        await closed(ws)
        await server.gone()
        assert server.server.eio.ended == {"internal error": 1}
        assert set(server.app.gone) == set(server.app.clients)
