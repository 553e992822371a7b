"""One stream of text, binary events and acks: once and in order, whatever the transport does meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.transports.socketio.firehose import Firehose, Reader
from tests.transports.socketio.serving import PATIENT, Serving, serving, text
from tests.transports.socketio.test_engine_hardening import wire_of

COUNT = 300


@pytest.fixture
async def hose() -> AsyncIterator[Serving]:
    """Serve the stream."""
    async with serving(Firehose(), limits=PATIENT) as running:
        yield running


async def started(hose: Serving) -> Reader:
    """Open a polling session that streams."""
    reader = Reader(hose, await hose.open_polling())
    await reader.flow(COUNT)
    return reader


async def read(reader: Reader, ws: aiohttp.ClientWebSocketResponse, *, slow: bool = False) -> None:
    """Read a WebSocket to the end of the stream, asking for acks now and then."""
    while not reader.done:
        message = await ws.receive(timeout=20)
        assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
        if not reader.see(message.data):
            await ws.send_str("3")
        elif len(reader.numbers) % 10 == 0:
            await ws.send_str(reader.question())
        if slow and len(reader.numbers) % 50 == 0:
            wire_of(ws).pause_reading()
            await backed_up(reader)
            wire_of(ws).resume_reading()


async def backed_up(reader: Reader) -> None:
    """Wait until the server holds something for the client, or has nothing more to send."""
    app = reader.server.app
    outbox = reader.server.server.eio.sockets[reader.sid].outbox
    while not outbox.size and not all(task.done() for task in app.flowing):
        await asyncio.sleep(0)


async def probed(reader: Reader) -> aiohttp.ClientWebSocketResponse:
    """Begin an upgrade while the stream goes on."""
    ws = await reader.server.open_websocket(reader.sid)
    await ws.send_str("2probe")
    assert await text(ws) == "3probe"
    return ws


async def test_polling(hose: Serving) -> None:
    reader = await started(hose)
    while not reader.done:
        await reader.poll()
    reader.check(hose.app, COUNT)


@pytest.mark.parametrize("polls", [0, 1, 2, 3, 5, 8, 13, 21])
@pytest.mark.parametrize("late", [0, 1, 2])
async def test_an_upgrade_in_mid_stream(hose: Serving, polls: int, late: int) -> None:
    """Upgrade after some polls; `late` more answers are taken between the probe and the upgrade's end."""
    reader = await started(hose)
    for _ in range(polls):
        await reader.poll()
    ws = await probed(reader)
    for _ in range(late):
        await reader.poll()
    assert not reader.done
    await ws.send_str("5")
    await read(reader, ws)
    reader.check(hose.app, COUNT)


async def test_an_upgrade_beside_a_poll_that_waits(hose: Serving) -> None:
    """What the open GET is answered with comes before what the WebSocket brings, as in the clients."""
    reader = Reader(hose, await hose.open_polling())
    await reader.server.post(reader.sid, "40")
    while "auth" not in (await hose.get(reader.sid))[1]:
        pass
    waiting = asyncio.create_task(reader.poll(ask=False))
    while hose.server.eio.sockets[reader.sid].outbox._waiting is None:
        await asyncio.sleep(0)
    ws = await probed(reader)
    await reader.server.post(reader.sid, f'42["flow",{COUNT}]')
    await waiting
    await ws.send_str("5")
    await read(reader, ws)
    reader.check(hose.app, COUNT)


@pytest.mark.parametrize("said", [["4x"], ["2probe"], []])
async def test_upgrades_that_fail_in_mid_stream(hose: Serving, said: list[str]) -> None:
    reader = await started(hose)
    failed = 0
    while not reader.done:
        await reader.poll()
        ws = await probed(reader)
        for packet in said:
            await ws.send_str(packet)
        if not reader.done:
            await reader.poll()
        await ws.close()
        failed += 1
        while (socket := hose.server.eio.sockets.get(reader.sid)) is not None and socket.moving:
            await asyncio.sleep(0)
    assert failed > 5
    reader.check(hose.app, COUNT)


async def test_slow_reading_over_a_websocket(hose: Serving) -> None:
    ws = await hose.open_websocket(connect="40")
    reader = Reader(hose, next(iter(hose.server.eio.sockets)))
    await ws.send_str(f'42["flow",{COUNT}]')
    await read(reader, ws, slow=True)
    reader.check(hose.app, COUNT)


async def test_slow_reading_by_polling(hose: Serving) -> None:
    reader = await started(hose)
    while not reader.done:
        await backed_up(reader)
        await reader.poll(ask=False)
    reader.check(hose.app, COUNT)


async def test_attachments_survive_the_page_limits_of_polling(hose: Serving) -> None:
    """The clients put packets together across answers; a page ends between a packet and its bytes too."""
    reader = await started(hose)
    split = 0
    while not reader.done:
        await reader.poll(ask=False)
        split += reader._assembly is not None
    assert split
    reader.check(hose.app, COUNT)
