"""Dialling agents: addresses that are no agents, handshakes that fail, and what verifying tells."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager

import pytest
from aiohttp import web

from server.engine.evaluator.lines.dialing import Dialer, hang_up, verify
from server.engine.evaluator.lines.line import NotConnected
from tests.evaluator.agents import agent, greeter, listening, mute
from tests.evaluator.talking import said, talked
from tests.support.passing import passes

NONE: Mapping[str, str] = {}


@pytest.fixture
async def dialer() -> AsyncIterator[Dialer]:
    async with aclosing(Dialer(private=True)) as dialer:
        yield dialer


async def refused(dialer: Dialer, url: str, *, seconds: float = 5, headers: Mapping[str, str] = NONE) -> str:
    """Dial in vain, and return the reason."""
    with pytest.raises(NotConnected) as caught:
        await dialer.dial(url, headers=headers, seconds=seconds)
    return str(caught.value)


def answering(status: int, **headers: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="a secret text", headers=headers)

    return answer


@asynccontextmanager
async def raw(answer: bytes | None) -> AsyncIterator[str]:
    """Serve whoever connects with some bytes, or with nothing; None closes at once."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if answer is None:
            writer.close()
        else:
            writer.write(answer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/agent"
    finally:
        for writer in writers:
            writer.close()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "rejects the handshake (HTTP 401): check websocket_headers and websocket_secret"),
        (403, "rejects the handshake (HTTP 403): check websocket_headers and websocket_secret"),
        (404, "answers the handshake with HTTP 404 instead of a WebSocket"),
        (500, "answers the handshake with HTTP 500 instead of a WebSocket"),
        (200, "is no WebSocket: its answer to the handshake is not that of one"),
    ],
)
async def test_a_handshake_that_is_refused(dialer: Dialer, status: int, reason: str) -> None:
    async with listening(answering(status)) as url:
        assert await refused(dialer, url) == f"{url} {reason}"


async def test_a_redirect_is_not_followed(dialer: Dialer) -> None:
    async with agent(mute) as other:
        async with listening(answering(302, Location=other.url.replace("ws:", "http:"))) as url:
            reason = await refused(dialer, url, headers={"X-VOCERA-SECRET": "hush"})
        assert other.calls == []
    assert "redirects (HTTP 302)" in reason


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Switching", b"HTTP/1.1 101 Switching\r\nA: b\r\n"])
async def test_a_handshake_that_never_ends(dialer: Dialer, answer: bytes) -> None:
    async with raw(answer) as url:
        assert "did not take the connection within 0.2 seconds" in await refused(dialer, url, seconds=0.2)


async def test_a_slow_handshake_is_waited_for() -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await passes(0.3, because="the agent thinks about taking the call")
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_str('{"content": "Sorry for the wait"}')
        await ws.receive()
        return ws

    async with listening(slow) as url:
        result = await talked(url, first=True)
    assert said(result) == ["A: Sorry for the wait", "T: Bye"]
    assert result.transcript[0].start_time < 0.3  # the call begins with the connection


@pytest.mark.parametrize("answer", [None, b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 101 Ok\r\n\r\n", b"\x00"])
async def test_servers_that_are_no_web_servers(dialer: Dialer, answer: bytes | None) -> None:
    async with raw(answer) as url:
        reason = await refused(dialer, url)
        assert "does not speak HTTP" in reason or "is no WebSocket" in reason


async def test_nobody_is_there(dialer: Dialer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert "cannot be reached" in await refused(dialer, f"ws://127.0.0.1:{port}/")
    async with agent(mute) as running:
        assert "does not speak TLS" in await refused(dialer, running.url.replace("ws:", "wss:"))


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "ws://", "ws://me:secret@127.0.0.1/", "ws://[::1", "x", "ws://127.0.0.1:99999/"],
)
async def test_what_is_no_address(dialer: Dialer, url: str) -> None:
    assert "secret" not in await refused(dialer, url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1"])
async def test_private_addresses_are_refused_unless_allowed(host: str) -> None:
    async with agent(mute) as running, aclosing(Dialer(private=False)) as strict:
        reason = await refused(strict, running.url.replace("127.0.0.1", host))
        assert running.calls == []
    if "::" not in host:
        assert "GREENROOM_PRIVATE_URLS" in reason


async def test_headers_that_cannot_be_sent(dialer: Dialer) -> None:
    async with agent(mute) as running:
        assert "a header holds" in await refused(dialer, running.url, headers={"X-A": "b\r\nX-C: d"})
        assert running.calls == []


async def test_verifying_tells_whether_a_connection_is_taken(dialer: Dialer) -> None:
    async with agent(greeter) as running:
        verified = await verify(running.url, headers={"X-A": "b"}, dialer=dialer)
        await running.left.wait()
        assert running.calls[0].request.headers["X-A"] == "b"
        assert running.got == []
    assert (verified.ok, verified.reason) == (True, "The agent took the connection.")
    async with listening(answering(401)) as url:
        verified = await verify(url, headers={}, dialer=dialer)
    assert not verified.ok
    assert "HTTP 401" in verified.reason
    assert 0 <= verified.ms < 5000


async def test_a_talk_without_a_connection_failed() -> None:
    async with listening(answering(401)) as url:
        result = await talked(url)
    assert (result.status, result.ended_reason) == ("failed", "Main agent-call-not-connected")
    assert "HTTP 401" in (result.error_message or "")
    assert result.transcript == []


@pytest.mark.skipif(sys.platform != "linux", reason="the option is Linux's")
async def test_the_kernel_keeps_little_for_an_agent_and_not_for_long(dialer: Dialer) -> None:
    async with agent(mute) as running:
        line = await dialer.dial(running.url, headers={})
        wire = line.get_extra_info("socket")
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000
        assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) <= 256 * 1024  # Linux doubles it
        await hang_up(line)
