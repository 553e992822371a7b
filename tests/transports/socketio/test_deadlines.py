"""Deadlines and ends of sessions: exact, and fair to clients when it was the server that slept."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from server.transports.socketio.peer import Client
from server.transports.socketio.socket import LATE_SECONDS
from tests.transports.socketio.serving import PROFILE, Echo, Serving, closed, serving, text
from tests.transports.socketio.test_engine_protocol import polled


def hold_up(seconds: float) -> None:
    """Let the whole process do nothing, as when it is stopped or starved."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


@pytest.mark.parametrize("seconds", [0.25, 0.6])
async def test_a_pong_that_came_while_the_process_was_held_up_counts(server: Serving, seconds: float) -> None:
    ws = await server.open_websocket(connect="40")
    assert await text(ws, pings=True) == "2"
    await ws.send_str("3")  # it is with the kernel now, and the server has not run since
    hold_up(seconds)
    assert await text(ws, pings=True) == "2"
    assert server.server.eio.ended == {}


async def test_a_pong_that_did_not_come_meanwhile_is_waited_for_no_longer(server: Serving) -> None:
    ws = await server.open_websocket(connect="40")
    assert await text(ws, pings=True) == "2"
    (socket,) = server.server.eio.sockets.values()
    due = socket._ping_due.when()
    hold_up(0.4)
    while socket._ping_due.when() == due:  # the timer runs late, and sets a last one for what was not read
        await asyncio.sleep(0)
    assert due < socket._ping_due.when() <= asyncio.get_running_loop().time() + PROFILE.ping_timeout / 10
    assert server.server.eio.ended == {}
    await closed(ws)
    assert server.server.eio.ended == {"ping timeout": 1}


async def test_a_polling_session_is_gone_when_its_client_was_told_it_would_be(server: Serving) -> None:
    loop = asyncio.get_running_loop()
    asked = loop.time()
    sid = await server.open_polling()
    opened = loop.time()
    socket = server.server.eio.sockets[sid]
    ping = socket._ping_due.when()
    assert asked < ping - PROFILE.ping_interval < opened
    await server.gone()
    assert loop.time() >= socket._ping_due.when() >= ping + PROFILE.ping_timeout - LATE_SECONDS
    assert server.server.eio.ended == {"ping timeout": 1}


async def test_the_server_disconnects_a_polling_client_at_once(patient: Serving) -> None:
    sid = await patient.open_polling()
    waiting = asyncio.create_task(patient.get(sid))
    while patient.server.eio.sockets[sid].outbox._waiting is None:
        await asyncio.sleep(0)
    idle = await patient.open_polling()
    for session in (sid, idle):
        await patient.server.eio.disconnect(session)
    assert await waiting == (200, "1")
    assert patient.server.peers == {}
    assert patient.server.eio.ended == {"server disconnect": 2}


async def test_a_polling_client_that_disconnects_is_gone_at_once(patient: Serving) -> None:
    """The JavaScript client sends both packets in one POST while its GET is open."""
    sid = await patient.open_polling()
    await patient.post(sid, "40")
    await polled(patient, sid, 2)
    waiting = asyncio.create_task(patient.get(sid))
    while patient.server.eio.sockets[sid].outbox._waiting is None:
        await asyncio.sleep(0)
    assert await patient.post(sid, "41\x1e1") == (200, "ok")
    assert await waiting == (200, "6")
    assert patient.server.peers == {}
    assert set(patient.app.gone) == set(patient.app.clients)


class Undecided(Echo):
    """Lets a client in when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.go = asyncio.Event()

    async def connect(self, client: Client, auth: dict[str, Any]) -> Callable[[], None]:
        greet = await super().connect(client, auth)
        self.asked.set()
        await self.go.wait()
        return greet


@pytest.fixture
async def undecided() -> AsyncIterator[Serving]:
    """Serve an application that takes its time."""
    async with serving(Undecided(), limits=PROFILE) as running:
        yield running


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_client_that_dies_during_connect_leaves_no_ghost(undecided: Serving, transport: str) -> None:
    app = undecided.app
    if transport == "polling":
        await undecided.post(await undecided.open_polling(), "40")
    else:
        ws = await undecided.open_websocket()
        await ws.send_str("40")
    await app.asked.wait()
    peer = next(iter(undecided.server.peers.values()))
    await undecided.gone()
    assert app.gone == []
    app.go.set()
    await app.somebody_left.wait()
    assert set(app.gone) == set(app.clients)
    assert peer.clients == {}


async def test_large_bodies_in_many_segments_all_arrive(server: Serving) -> None:
    sid = await server.open_polling()
    await server.post(sid, "40")
    await polled(server, sid, 2)

    async def body(message: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(message), 50_000):
            yield message[start : start + 50_000]

    for number in range(5):
        message = f'42["message",{number},"{"x" * 900_000}"]'.encode()
        async with server.http.post(server.path(sid=sid), data=body(message)) as response:
            assert response.status == 200
        (back,) = await polled(server, sid, 1)
        assert back.encode() == message.replace(b"message", b"message-back")
