"""Clients that are killed, stopped and cut off: nothing of them stays, and nobody waits for them."""

import asyncio
import socket as stdsocket
from collections.abc import Awaitable, Callable

import orjson

from server.engine.ids import new
from tests.attacks.bystander import Bystander
from tests.attacks.node import Node, Wire
from tests.attacks.raw import masked, upgrade
from tests.attacks.table import Attack
from tests.recovery.test_leaks import linger, reset
from tests.support.attempts import Talk, begin
from tests.support.hole import hole
from tests.transports.socketio.serving import text

KILLED = 40
SILENT = 20
WORDS = [f"{n} " for n in range(200)]


async def following(node: Node, talk: Talk, *, url: str | None = None) -> Wire:
    """Connect somebody who follows a chat."""
    wire = await node.websocket(node.token(role="ops"), url=url)
    await wire.send_str("421" + orjson.dumps(["attempt_join", {"chat_id": talk.chat_id}]).decode())
    while not (await text(wire)).startswith("431["):
        pass
    return wire


async def speaking(node: Node, talk: Talk, during: Callable[[], Awaitable[None]]) -> None:
    """Let something happen in the middle of a reply, which is to be complete all the same."""
    await node.cluster.script({"match": {"last_contains": "At length"}, "chunks": WORDS, "delay_ms": 5})
    ack = await talk.send("At length, please.")
    await talk.client.until("attempt_progress", room=talk.room)
    await during()
    done = await talk.client.until("attempt_assistant_complete", message_id=ack["assistant_message_id"])
    assert done["content"] == "".join(WORDS).strip() or done["content"] == "".join(WORDS)
    await node.cluster.script()


async def killed(node: Node) -> None:
    """Followers, and speakers, whose connections are reset in the middle of a reply."""
    async with node.victim() as talk:
        wires = [await following(node, talk) for _ in range(KILLED)]

        async def kill() -> None:
            for wire in wires:
                reset(wire)

        await speaking(node, talk, kill)
        while await node.connections() > 1:
            await node.bystander.news()
    for _ in range(5):
        learner = new()
        async with node.client(learner) as client:
            talk = await begin(client)
            await node.cluster.script(
                {"match": {"last_contains": "At length"}, "chunks": WORDS, "delay_ms": 5}
            )
            ack = await talk.send("At length, please.")
            raw = client.client.eio.ws.get_extra_info("socket")
            linger(raw)
            client.client.eio.ws._response.connection.transport.abort()
        async with node.client(learner) as client:
            await client.send("attempt_join", chat_id=talk.chat_id, after=0)
            await client.until("attempt_assistant_complete", message_id=ack["assistant_message_id"])
    await node.cluster.script()


async def stopped(node: Node) -> None:
    """A client's process is stopped in its tracks: it is let go, and not waited for."""
    clients = [Bystander(node.url, node.token(), node.log.parent / "stopped.log")]
    for client in clients:
        await client.start()
    try:
        assert await node.connections() == len(clients)
        for client in clients:
            await client.news()
            client.pause()
        async with node.victim() as talk:
            while await node.connections() > 1:
                await talk.say()
    finally:
        for client in clients:
            client.resume()
            await client.stop()


async def never_reading(node: Node) -> None:
    """Followers who take nothing, of a chat in which much is said."""
    opened = []
    async with node.victim() as talk:
        await node.cluster.script(
            {"match": {"last_contains": "Much"}, "chunks_count": 100, "chunk_text": "y" * 600, "delay_ms": 10}
        )
        for _ in range(SILENT):
            reader, writer = await node.connection(small=True)
            writer.write(upgrade("/socket.io/?EIO=4&transport=websocket"))
            await reader.readuntil(b"\r\n\r\n")
            writer.write(masked(b"40" + orjson.dumps({"token": node.token(role="ops")})))
            writer.write(masked(b"421" + orjson.dumps(["attempt_join", {"chat_id": talk.chat_id}])))
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            opened.append(writer)
        while await node.connections() > 1:
            await talk.say("Much, please.")
        await node.cluster.script()
    for writer in opened:
        writer.transport.abort()


async def half_open(node: Node) -> None:
    """Clients behind a network that lets nothing through any more, and tells nobody."""
    async with node.victim() as talk, hole(node.url) as way:
        wires = [await following(node, talk, url=way.url) for _ in range(SILENT)]
        async with node.streamer() as streamer:
            streamer.url = way.url
            await streamer.drop()
            await streamer.resume()

            async def vanish() -> None:
                way.swallow()

            await speaking(node, talk, vanish)
            while await node.connections() > 1:
                await talk.say()
        for wire in wires:
            reset(wire)


async def killed_streams(node: Node) -> None:
    """Event streams that are reset, while their session goes on."""
    async with node.victim() as talk:
        opened = []
        for _ in range(SILENT):
            status, body = await node.ask("connect", {}, token=node.token(role="ops"))
            assert status == 200
            reader, writer = await node.connection(small=True)
            writer.write(f"GET {body['stream']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            opened.append(writer)
        streams = await node.figure("streams")

        async def kill() -> None:
            for writer in opened:
                raw: stdsocket.socket = writer.get_extra_info("socket")
                linger(raw)
                writer.transport.abort()

        await speaking(node, talk, kill)
        while await node.figure("streams") > streams - SILENT:
            await asyncio.wait_for(node.bystander.news(), 10)


ATTACKS = [
    Attack(run=killed),
    Attack(run=stopped),
    Attack(run=never_reading),
    Attack(run=half_open),
    Attack(run=killed_streams),
]
