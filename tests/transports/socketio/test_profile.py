"""The protocol profile: the cases that the Engine.IO suite has for a bare echo, and what is its own."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import orjson
import pytest
from aiohttp import web

from server.transports.socketio.profile import AUTH_SECONDS, ProtocolProfile
from tests.transports.socketio.serving import closed, text


class Profile:
    """A served profile and raw clients of it."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http

    def path(self, transport: str = "polling", *, sid: str = "", at: str = "engine.io") -> str:
        return f"{self.url}/{at}/?EIO=4&transport={transport}" + (f"&sid={sid}" if sid else "")

    async def session(self) -> str:
        status, body = await self.get("")
        assert status == 200
        return str(orjson.loads(body[1:])["sid"])

    async def get(self, sid: str) -> tuple[int, str]:
        async with self.http.get(self.path(sid=sid)) as response:
            return response.status, await response.text()

    async def post(self, sid: str, body: str) -> tuple[int, str]:
        async with self.http.post(self.path(sid=sid), data=body) as response:
            return response.status, await response.text()

    async def websocket(self, *, sid: str = "", at: str = "engine.io") -> aiohttp.ClientWebSocketResponse:
        ws = await self.http.ws_connect(self.path("websocket", sid=sid, at=at))
        if not sid:
            assert (await text(ws))[0] == "0"
        return ws


@asynccontextmanager
async def served() -> AsyncIterator[Profile]:
    """Serve the profile until the end of the context."""
    app = web.Application()
    ProtocolProfile().attach(app)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    async with aiohttp.ClientSession() as http:
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield Profile(f"http://127.0.0.1:{runner.addresses[0][1]}", http)
        finally:
            await runner.cleanup()


@pytest.fixture
async def profile() -> AsyncIterator[Profile]:
    """Serve the profile."""
    async with served() as running:
        yield running


@pytest.mark.parametrize(
    "body", ["4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA==", "4", "4\u00e9\u4e2d"]
)
async def test_a_post_comes_back(profile: Profile, body: str) -> None:
    sid = await profile.session()
    assert await profile.post(sid, body) == (200, "ok")
    assert await profile.get(sid) == (200, body)


async def test_a_bad_packet_closes(profile: Profile) -> None:
    sid = await profile.session()
    assert (await profile.post(sid, "abc"))[0] == 400
    assert (await profile.get(sid))[0] == 400


async def test_text_and_bytes_come_back_over_a_websocket(profile: Profile) -> None:
    ws = await profile.websocket()
    await ws.send_str("4hello")
    await ws.send_bytes(b"\x01\x02\x03\x04")
    assert await text(ws) == "4hello"
    assert (await ws.receive()).data == b"\x01\x02\x03\x04"
    await ws.send_str("abc")
    await closed(ws)


async def test_an_upgrade_releases_the_poll_and_then_only_the_websocket_serves(profile: Profile) -> None:
    sid = await profile.session()
    ws = await profile.websocket(sid=sid)
    await ws.send_str("2probe")
    assert await text(ws) == "3probe"
    assert await profile.get(sid) == (200, "6")
    await ws.send_str("5")
    await ws.send_str("4hello")
    assert await text(ws) == "4hello"
    assert (await profile.get(sid))[0] == 400
    await closed(await profile.websocket(sid=sid))
    await ws.send_str("4still here")
    assert await text(ws) == "4still here"


async def test_auth_comes_some_time_after_the_answer_to_connect(profile: Profile) -> None:
    ws = await profile.websocket(at="socket.io")
    await ws.send_str('40/custom,{"token":"abc"}')
    assert (await text(ws)).startswith('40/custom,{"sid":')
    answered = asyncio.get_running_loop().time()
    assert await text(ws) == '42/custom,["auth",{"token":"abc"}]'
    assert asyncio.get_running_loop().time() - answered > AUTH_SECONDS / 2


async def test_who_leaves_before_auth_is_not_sent_it(profile: Profile) -> None:
    ws = await profile.websocket(at="socket.io")
    for packet in ("40", "40/custom", "41/custom"):
        await ws.send_str(packet)
    seen = [await text(ws) for _ in range(3)]
    assert [packet[:10] for packet in seen] == ['40{"sid":"', "40/custom,", '42["auth",']
    await ws.send_str('42["message",1]')
    assert await text(ws) == '42["message-back",1]'


@pytest.mark.parametrize("packet", ['42["message",%s]', '421["message-with-ack",%s]', '40{"deep":%s}'])
async def test_what_cannot_be_sent_back_closes_quietly(
    profile: Profile, packet: str, caplog: pytest.LogCaptureFixture
) -> None:
    ws = await profile.websocket(at="socket.io")
    if packet[1] == "2":
        await ws.send_str("40")
    await ws.send_str(packet % ("[" * 500 + "]" * 500))
    await closed(ws)
    assert caplog.records == []


async def test_ids_are_not_shared_between_the_two(profile: Profile) -> None:
    sid = await profile.session()
    async with profile.http.get(profile.path(sid=sid, at="socket.io")) as response:
        assert response.status == 400
    assert (await profile.get(secrets.token_hex(8)))[0] == 400


async def test_it_stops_at_once_and_closes_everybody() -> None:
    async with served() as profile:
        sid = await profile.session()
        waiting = asyncio.create_task(profile.get(sid))
        sockets = [await profile.websocket(at=at) for at in ("engine.io", "socket.io")]
    assert await waiting == (200, "1")
    for ws in sockets:
        assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE  # before any ping
