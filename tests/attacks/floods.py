"""Too much of something: events, pongs, handshakes, upgrades, connections, and what never comes to an end."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import pytest

from server.engine.ids import new
from server.transports.socketio.outbox import SLOW
from tests.attacks.node import Node, Wire, acked, call, code_of
from tests.attacks.raw import masked, request, status, upgrade
from tests.attacks.table import MB, Attack
from tests.support.attempts import begin
from tests.support.passing import passes
from tests.transports.socketio.serving import closed, text

MANY = 1000
AT_ONCE = 50
PER_SECOND, BURST, OVER_SECONDS = 20, 50, 10
PER_ADDRESS, PER_IDENTITY = 100, 10
LEAVE = '["attempt_leave",{"chat_id":"00000000-0000-4000-8000-000000000000"}]'


async def many(count: int, act: Callable[[], Awaitable[Any]]) -> list[Any]:
    """Do something so many times, some of them at once."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one() -> Any:
        async with free:
            return await act()

    return await asyncio.gather(*(one() for _ in range(count)))


async def events(node: Node) -> None:
    """A hundred events a second: refused with a time to wait, and after ten seconds disconnected."""
    wire = await node.websocket()
    start, sent = time.monotonic(), 0
    acks: list[dict[str, Any]] = []

    async def read() -> None:
        while (message := await wire.receive()).type is aiohttp.WSMsgType.TEXT:
            if message.data == "2":
                await wire.send_str("3")
            elif message.data.startswith("43"):
                acks.append(orjson.loads(message.data[message.data.index("[") :])[0])

    reading = asyncio.create_task(read())
    while not reading.done():
        assert time.monotonic() - start < 3 * OVER_SECONDS
        for _ in range(10):
            if not wire.closed:
                await wire.send_str(f"42{sent}{LEAVE}")
                sent += 1
        await asyncio.wait([reading], timeout=0.1)
    lasted = time.monotonic() - start
    done = [ack for ack in acks if ack["success"]]
    refused = [ack for ack in acks if not ack["success"]]
    assert lasted >= OVER_SECONDS * 0.9
    assert BURST <= len(done) <= BURST + PER_SECOND * (lasted + 1)
    assert len(refused) >= 100
    assert {code_of(ack) for ack in refused} == {"rate_limited"}
    assert all(ack["error"]["retryable"] and 0 < ack["error"]["retry_after"] <= 1 for ack in refused)


async def requests(node: Node) -> None:
    """Events over HTTP are counted for who sends them, whichever connection they come over."""
    token = node.token()
    answers = await many(200, lambda: node.ask("attempt/leave", {"chat_id": new()}, token=token))
    refused = [body for code, body in answers if code == 429]
    assert len(refused) >= 50
    assert {code_of(body) for body in refused} == {"rate_limited"}
    assert {code for code, _ in answers} == {200, 429}
    code, body = await node.ask("attempt/leave", {"chat_id": new()}, token=node.token())
    assert (code, body["success"]) == (200, True)


async def events_at_once(node: Node) -> None:
    """What is more than the queue holds is answered too: nothing is dropped, and nothing is piled up."""
    wire = await node.websocket()
    for number in range(5 * MANY):
        await wire.send_str(f"42{number}{LEAVE}")
    seen: set[str] = set()
    codes: set[str] = set()
    while len(seen) < 5 * MANY:
        packet = await text(wire)
        if packet.startswith("43"):
            seen.add(packet[2 : packet.index("[")])
            ack = orjson.loads(packet[packet.index("[") :])[0]
            codes.add("" if ack["success"] else code_of(ack))
    assert codes <= {"", "rate_limited"}
    await wire.close()


async def pongs_without_reading(node: Node) -> None:
    """Who sends pongs but reads nothing is as good as dead: it is cut, and nothing is kept for it."""
    reader, writer = await node.connection(small=True)
    slow = await node.ended(SLOW)
    token = node.token(node.victim_id)
    writer.write(upgrade("/socket.io/?EIO=4&transport=websocket"))
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    async with node.victim() as talk:
        await talk.client.send("attempt_message", **talk.ids, message="x" * 30_000)
        writer.write(masked(b"40" + orjson.dumps({"token": token})))
        start = time.monotonic()
        while not writer.transport.is_closing():
            assert time.monotonic() - start < 30
            for event in ("attempt_leave", "attempt_join"):
                writer.write(masked(b"421" + orjson.dumps([event, {"chat_id": talk.chat_id}])))
            writer.write(b"".join(masked(b"3") for _ in range(100)))
            await passes(0.05, because="a flood has a rate")
            if await node.connections() <= 1:
                break
        assert await node.ended(SLOW) == slow + 1


async def handshakes(node: Node) -> None:
    """A thousand sessions that nobody connects to are gone in ten seconds."""
    wires: list[Wire] = await many(MANY // 2, lambda: node.http.ws_connect(node.address("websocket")))
    await many(MANY // 2, node.polling)
    assert await node.connections() >= MANY // 2
    await node.calm(within=20)
    for wire in wires:
        await closed(wire)


async def stalled_upgrades(node: Node) -> None:
    """A thousand upgrades that stop half-way are cut in ten seconds, and so are their sessions."""

    async def stall() -> Wire:
        sid = await node.polling(node.token())
        wire = await node.http.ws_connect(node.address("websocket", sid=sid))
        await wire.send_str("2probe")
        assert (await wire.receive_str()) == "3probe"
        return wire

    wires = await many(MANY, stall)
    await node.calm(within=20)
    for wire in wires:
        await closed(wire)


async def of_one_address(node: Node) -> None:
    """The hundred and first connection of an address is refused, by every way in; who is there stays."""
    free = PER_ADDRESS - int(await node.figure("connections"))
    wires = [await node.http.ws_connect(node.address("websocket")) for _ in range(free)]
    async with node.http.get(node.address()) as response:
        assert response.status == 429
        assert int(response.headers["Retry-After"]) >= 1
    with pytest.raises(aiohttp.WSServerHandshakeError) as denied:
        await node.http.ws_connect(node.address("websocket"), headers={"X-Forwarded-For": "10.0.0.1"})
    assert denied.value.status == 429
    await wires.pop().close()
    while await node.connections() >= free:
        await node.bystander.news()
    await (await node.websocket()).close()
    for wire in wires:
        await wire.close()


async def of_one_identity(node: Node) -> None:
    """Of one identity ten connections are let in, while they live."""
    token = node.token()
    wires = [await node.websocket(token) for _ in range(PER_IDENTITY)]
    reading = [asyncio.create_task(acked(wire, 1)) for wire in wires]  # who answers pings, lives
    late = await node.http.ws_connect(node.address("websocket"))
    assert (await text(late)).startswith("0")
    await late.send_str("40" + orjson.dumps({"token": token}).decode())
    assert "rate_limited" in (refused := await text(late)), refused
    assert refused.startswith("44")
    for wire, task in zip(wires, reading, strict=True):
        await wire.send_str(f"421{LEAVE}")
        assert (await task)["success"]
        await wire.close()
    await late.close()


async def rooms(node: Node) -> None:
    """Of one connection fifty rooms are followed."""
    async with node.client() as learner:
        talks = [await begin(learner) for _ in range(52)]
        joins = [await learner.call("attempt_join", chat_id=talk.chat_id) for talk in talks]
        refused = [code_of(join) for join in joins if not join["success"]]
        assert refused == ["conflict"] * 3
        wire = await node.websocket()
        assert (await call(wire, "attempt_leave", {"chat_id": new()}))["success"]
        await wire.close()


async def endless(node: Node) -> None:
    """Heads and bodies that drip, or never come, have ten seconds."""
    bearer = f"Authorization: Bearer {node.token()}"
    sid = await node.polling(node.token())
    event, polling = "/socket/v5/client/attempt/leave", "/socket.io/?EIO=4&transport=polling"
    begun = (
        b"", b"G", b"GET /health/live HTTP/1.1\r\n", b"GET /health/live HTTP/1.1\r\nHost: x\r\nA: ",
        request(event, bearer, "Content-Length: 100", method="POST", body=b'{"chat_id":'),
        request(event, bearer, "Transfer-Encoding: chunked", method="POST", body=b"5\r\n{\"a\"\r\n"),
        request(event, bearer, "Transfer-Encoding: chunked", method="POST", body=b"FFFFFFFFFFFFFFFF\r\nx"),
        request(f"/api/v1/personas/{new()}", bearer, "Content-Length: 9", method="PUT", body=b"{"),
        request(f"{polling}&sid={sid}", "Content-Length: 100", method="POST", body=b"4"),
    )  # fmt: skip
    opened = [await node.connection() for _ in range(20) for _ in begun]
    for (_, writer), first in zip(opened, begun * 20, strict=True):
        writer.write(first)
    start = time.monotonic()

    async def ended(reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.read(100)
        except ConnectionResetError:
            return b""

    answers = asyncio.gather(*(ended(reader) for reader, _ in opened))
    while not answers.done() and time.monotonic() - start < 25:
        await asyncio.wait([answers], timeout=1)
        for reader, writer in opened:
            if not reader.at_eof() and not writer.is_closing():
                writer.write(b" ")  # it goes on dripping
    assert answers.done(), "some are still open"
    assert {status(answer) for answer in answers.result()} <= {0, 400, 408, 413}
    for _, writer in opened:
        writer.transport.abort()


ATTACKS = [
    Attack(run=events, strict=True),
    Attack(run=requests, strict=True),
    Attack(run=events_at_once),
    Attack(run=pongs_without_reading),
    Attack(run=handshakes, kept=32 * MB, highest=96 * MB),
    Attack(run=stalled_upgrades, kept=32 * MB, highest=160 * MB),
    Attack(run=of_one_address, strict=True),
    Attack(run=of_one_identity, strict=True),
    Attack(run=rooms),
    Attack(run=endless),
]
