"""Valkey hangs, or dies and comes back empty, under two servers: nothing is lost, nothing stops."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio
from pydantic import SecretStr

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.support.attempts import begin
from tests.support.clients import Http, Socket, http_client, socket
from tests.support.running import Server, load_pack, running, settings_for
from tests.support.tail import Tail
from tests.support.valkey import ValkeyServer, valkey_server

WORDS = [f"{n} " for n in range(400)]
# Seconds from a question in one process to its answer in the other, on a machine that stalls. Rooms are
# polled every 0.25 s then, and checked every 30 s else.
LATE = 10.0


@dataclass
class Pair:
    """Two servers with one Valkey, and a learner who acts in the first and watches in the second."""

    servers: tuple[Server, Server]
    valkey: ValkeyServer
    actor: Socket
    socket: Socket
    stream: Http

    async def ready(self, status: str) -> None:
        """Wait until both say so, and are ready all the time."""
        async with asyncio.timeout(30), aiohttp.ClientSession() as http:
            for server in self.servers:
                while True:
                    async with http.get(f"{server.url}/health/ready") as response:
                        assert response.status == 200
                        if (await response.json())["status"] == status:
                            break


@pytest_asyncio.fixture
async def pair(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Pair]:
    """Run them."""
    async with AsyncExitStack() as stack:
        valkey = await stack.enter_async_context(valkey_server())
        settings = settings_for(mongod_url, model[1], redis_url=SecretStr(valkey.url))
        servers = []
        for _ in range(2):
            url, app = await stack.enter_async_context(running(settings))
            servers.append(Server(url, app, model[0], model[1].removesuffix("/v1")))
        await load_pack(servers[0].app)
        token = servers[0].token(new())
        actor, watcher = [
            await stack.enter_async_context(socket(server.url, {"token": token})) for server in servers
        ]
        stream = await stack.enter_async_context(http_client(servers[1].url, token=token))
        await stream.connect()
        made = Pair((servers[0], servers[1]), valkey, actor, watcher, stream)
        await made.ready("ok")
        yield made


@pytest.mark.parametrize("seconds", [3.0, 20.0])
async def test_one_that_dies_and_comes_back_empty_costs_latency_only(pair: Pair, seconds: float) -> None:
    pace = int((seconds + 2) * 1000 / len(WORDS))
    slow = {"match": {"last_contains": "Count"}, "chunks": WORDS, "delay_ms": pace}
    await pair.servers[0].script(slow, {"reply": "Yes."})
    long, short = await begin(pair.actor), await begin(pair.actor)
    tails = {client: [Tail(t.room) for t in (long, short)] for client in (pair.socket, pair.stream)}
    for client in tails:
        for talk in (long, short):
            await client.send("attempt_join", chat_id=talk.chat_id, after=0)
    said = await long.send("Count.")
    await pair.socket.until("attempt_progress")
    await pair.valkey.kill()
    failed = time.monotonic()
    await pair.ready("degraded")
    turns = 0
    while time.monotonic() - failed < seconds or turns < 3:
        asked = time.monotonic()
        reply = await short.say("Are you there?")
        turns += 1
        for client in tails:
            await client.until("attempt_assistant_complete", message_id=reply["message_id"])
        assert time.monotonic() - asked < LATE
    await pair.valkey.start()
    await pair.ready("ok")
    assert (await short.say("And now?"))["state"] == "complete"
    for client in tails:
        done = await client.until("attempt_assistant_complete", message_id=said["assistant_message_id"])
        assert (done["state"], done["content"]) == ("complete", "".join(WORDS))
        await client.until("attempt_assistant_complete", count=turns + 2)
        for tail in tails[client]:
            tail.take(client)
        assert tails[client][0].text(said["assistant_message_id"]) == "".join(WORDS)


async def test_one_that_hangs_for_a_moment_makes_others_wait_for_that_long(pair: Pair) -> None:
    talk = await begin(pair.actor)
    for client in (pair.socket, pair.stream):
        await client.send("attempt_join", chat_id=talk.chat_id, after=0)
    pair.valkey.pause()
    hung = time.monotonic()
    replies = []
    while time.monotonic() - hung < 3.0:
        replies.append(await talk.say("Are you there?"))
    pair.valkey.resume()
    for client in (pair.socket, pair.stream):
        for reply in replies:
            await client.until("attempt_assistant_complete", message_id=reply["message_id"])
        Tail(talk.room).take(client)


async def test_a_stop_reaches_the_other_process_without_it(pair: Pair) -> None:
    await pair.servers[0].script({"chunks": ["One, ", "two"], "hang": True})
    talk = await begin(pair.actor)
    await pair.socket.send("attempt_join", chat_id=talk.chat_id)
    await talk.send()
    await pair.socket.until("attempt_progress")
    await pair.valkey.kill()
    await pair.ready("degraded")
    await pair.socket.send("attempt_stop", chat_id=talk.chat_id)
    done = await pair.actor.until("attempt_assistant_complete")
    assert (done["state"], done["content"]) == ("stopped", "One, two")
