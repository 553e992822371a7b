"""Why connections have ended, as the figures tell it."""

import asyncio

import aiohttp
import orjson

from server.transports import keys
from tests.conftest import Cast
from tests.support.attempts import begin
from tests.support.clients import http_client
from tests.support.running import Server
from tests.support.slow import Slow
from tests.support.wires import wire

BIG = orjson.dumps({"content": "x" * 200_000})  # the client's and the kernel's buffers, then the limit


async def ended(server: Server, transport: str, reason: str) -> float:
    """Return how many connections have ended for a reason."""
    async with aiohttp.ClientSession() as http, http.get(f"{server.url}/metrics") as response:
        text = await response.text()
    assert "# TYPE greenroom_connections_ended_total counter" in text
    name = f'greenroom_connections_ended_total{{reason="{reason}",transport="{transport}"}} '
    return sum(float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name))


async def until_ended(server: Server, transport: str, reason: str) -> None:
    """Wait until one connection has ended for a reason."""
    async with asyncio.timeout(60):
        while await ended(server, transport, reason) != 1:
            pass


async def test_slow_consumers_of_sockets_and_streams_are_told(server: Server, cast: Cast) -> None:
    talk = await begin(await cast.learner())
    for transport in ("socket", "stream"):
        assert await ended(server, transport, "slow consumer") == 0
    token = server.token(cast.learner_id)
    async with (
        wire(server.url, token) as deaf,
        http_client(server.url, token=token) as client,
    ):
        await deaf.send("attempt_join", chat_id=talk.chat_id)
        deaf.deafen()
        slow = Slow(server, client)
        writer = await slow.open(talk)
        async with asyncio.timeout(60):
            while not slow.attached():
                await ended(server, "stream", "slow consumer")
        for _ in range(40):
            await server.app[keys.HUB].log.publish(talk.room, "attempt_progress", BIG)
        await until_ended(server, "socket", "slow consumer")
        await until_ended(server, "stream", "slow consumer")
        writer.close()


async def test_usual_ends_are_told_apart(server: Server, cast: Cast) -> None:
    token = server.token(cast.learner_id)
    async with wire(server.url, token), http_client(server.url, token=token) as http:
        await http.connect()
        await http.resume()
        await until_ended(server, "stream", "replaced")
        await http.send("disconnect")
        await until_ended(server, "stream", "session closed")
    await until_ended(server, "socket", "transport close")
