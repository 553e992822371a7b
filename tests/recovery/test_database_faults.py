"""The database stops or dies under a running server: refused or done, never silent, and back by itself."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from schemas.attempt import Chat
from server.embedded.mongod import Mongod, start_mongod
from server.embedded.runfile import database_pid
from server.llm.scripted import ScriptedModel
from server.rooms.log import MAX_QUEUE_BYTES
from server.transports import keys
from tests.conftest import Cast
from tests.fold.oracle import check_chat
from tests.support.clients import PATIENCE, Http, Socket
from tests.support.passing import passes
from tests.support.running import Server, load_pack, practice, running, settings_for
from tests.support.tail import Tail

WORDS = [f"{n} " for n in range(400)]
SLOW = {"chunks": WORDS, "delay_ms": 10}


@dataclass
class World:
    """A server on a database of its own, which may be stopped, and clients of it."""

    mongod: Mongod
    server: Server
    cast: Cast

    def freeze(self) -> None:
        """Stop the database's process where it is."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    @property
    def pid(self) -> int:
        """Return the database's process."""
        pid = database_pid(self.mongod.data_dir / "mongo")
        assert pid is not None
        return pid

    async def kill(self) -> None:
        """End the database by SIGKILL."""
        self.mongod.process.kill()
        await self.mongod.process.wait()

    async def revive(self) -> None:
        """Start it again with the same data on the same port."""
        self.mongod = await start_mongod(self.mongod.data_dir, port=self.mongod.port)

    async def health(self, status: str, *, code: int = 200) -> None:
        """Ask until the server says that its readiness is this."""
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as http:
            while True:
                async with http.get(f"{self.server.url}/health/ready") as response:
                    body: dict[str, Any] = await response.json()
                    if body["status"] == status:
                        assert response.status == code
                        return

    async def chat(self, chat_id: str) -> Chat:
        """Return a chat as it is stored."""
        chat = await self.server.app[keys.STORE].chats.get(chat_id)
        assert chat is not None
        return chat


@pytest_asyncio.fixture
async def world(model: tuple[ScriptedModel, str], tmp_path: Path) -> AsyncIterator[World]:
    """Run a mongod that may be stopped, and a server on it."""
    mongod = await start_mongod(tmp_path)
    scripted, url = model
    async with AsyncExitStack() as stack:
        address, app = await stack.enter_async_context(running(settings_for(mongod.url, url)))
        await load_pack(app)
        server = Server(url=address, app=app, model=scripted, model_url=url.removesuffix("/v1"))
        made = World(mongod, server, Cast(server, stack))
        yield made
    await made.mongod.stop()


async def talk(world: World, learner: Socket | Http) -> dict[str, str]:
    """Start a reply and wait for its first words."""
    await world.server.script(SLOW)
    ack = await learner.send("attempt_start", practice_id=practice("one"))
    chat = {"attempt_id": ack["attempt_id"], "chat_id": ack["chat_id"]}
    await learner.send("attempt_message", **chat, message="Count.")
    await learner.until("attempt_progress")
    return chat


async def check_whole(world: World, learner: Socket, chat_id: str) -> None:
    """Check that the reply went on as if nothing had been."""
    complete = await learner.until("attempt_assistant_complete", chat_id=chat_id)
    tail = Tail(f"attempt_{chat_id}")
    tail.take(learner)
    assert complete["state"] == "complete"
    assert complete["content"] == tail.text(complete["message_id"]) == "".join(WORDS)
    await check_chat(world.server.app[keys.STORE], chat_id)


async def test_a_database_that_dies_and_returns_costs_nothing(world: World) -> None:
    """It is back well before the lease of 8 s ends, also where everything takes long."""
    learner = await world.cast.learner()
    chat = await talk(world, learner)
    other = await learner.send("attempt_start", practice_id=practice("one"))
    said = {"attempt_id": other["attempt_id"], "chat_id": other["chat_id"], "message": "Are you there?"}
    await world.kill()
    await world.revive()
    await world.health("ok")
    await check_whole(world, learner, chat["chat_id"])
    await learner.send("attempt_message", **said)


async def test_every_event_is_refused_while_the_database_is_away(world: World) -> None:
    learner = await world.cast.learner()
    over_http = await world.cast.http()
    ack = await learner.send("attempt_start", practice_id=practice("one"))
    chat = {"attempt_id": ack["attempt_id"], "chat_id": ack["chat_id"]}
    events: list[tuple[str, dict[str, Any]]] = [
        ("attempt_start", {"practice_id": practice("one")}),
        ("attempt_message", {**chat, "message": "Hello!"}),
        ("attempt_end", chat),
        ("attempt_grade", chat),
        ("attempt_end_all", {"attempt_id": chat["attempt_id"]}),
        ("attempt_stop", {"chat_id": chat["chat_id"]}),
        ("attempt_next", {"attempt_id": chat["attempt_id"]}),
    ]
    await world.kill()
    await world.health("degraded")
    for refused in await asyncio.gather(*(over_http.call(name, **data) for name, data in events)):
        assert refused["error"]["code"] == "unavailable", refused
        assert refused["error"]["retryable"] is True
    assert over_http.status == 503
    refused = await learner.call("attempt_message", **chat, message="Hello!")
    assert refused["error"]["code"] == "unavailable"
    assert learner.seen[-1][0] == "attempt_error"
    await world.health("unavailable", code=503)
    await world.revive()
    await world.health("ok")
    await learner.send("attempt_message", **chat, message="Hello!")
    await learner.until("attempt_assistant_complete")
    assert [m.content for m in (await world.chat(chat["chat_id"])).messages if m.role == "user"] == ["Hello!"]


async def test_a_frozen_database_holds_replies_up_and_loses_nothing(world: World) -> None:
    learner = await world.cast.learner()
    chat = await talk(world, learner)
    world.freeze()
    try:
        await world.health("degraded")
    finally:
        world.thaw()
    await world.health("ok")
    await check_whole(world, learner, chat["chat_id"])


@pytest.mark.parametrize(("seconds", "state"), [(3.0, "complete"), (20.0, "interrupted")])
async def test_a_database_that_hangs_drops_nothing(world: World, seconds: float, state: str) -> None:
    """What was sent is done or refused, and who follows has no hole; a reply outlives 8 s, its lease."""
    learner, stream = await world.cast.learner(), await world.cast.http()
    chat = await talk(world, learner)
    await stream.send("attempt_join", chat_id=chat["chat_id"], after=0)
    other = await learner.send("attempt_start", practice_id=practice("one"))
    ids = {"attempt_id": other["attempt_id"], "chat_id": other["chat_id"]}
    world.freeze()
    away = asyncio.create_task(passes(seconds, because="the database hangs for so long"))
    try:
        asked = asyncio.create_task(learner.call("attempt_message", **ids, message="Are you there?"))
        await world.health("degraded")
        await away
        log = world.server.app[keys.HUB].log
        assert log.queue_bytes < MAX_QUEUE_BYTES
    finally:
        world.thaw()
    answer = await asked
    stored = [m.content for m in (await world.chat(ids["chat_id"])).messages if m.role == "user"]
    if answer["success"]:
        assert stored == ["Are you there?"]
    else:
        assert answer["error"]["code"] == "unavailable"
    await world.health("ok")
    for client in (learner, stream):
        complete = await client.until("attempt_assistant_complete", chat_id=chat["chat_id"], within=40)
        assert complete["state"] == state
        tail = Tail(f"attempt_{chat['chat_id']}")
        tail.take(client)
        assert complete["content"] == tail.text(complete["message_id"])
    await check_chat(world.server.app[keys.STORE], chat["chat_id"])


@pytest.mark.timeout(180)
async def test_a_lost_lease_closes_the_reply_without_a_restart(world: World) -> None:
    learner = await world.cast.learner()
    chat = await talk(world, learner)
    lost = asyncio.Event()
    world.server.app[keys.PROCESS].on_lost(lost.set)
    await world.kill()
    async with asyncio.timeout(30):
        await lost.wait()
    await world.revive()
    complete = await learner.until("attempt_assistant_complete")
    assert complete["state"] == "interrupted"
    error = await learner.until("attempt_error", type="send")
    assert (error["code"], error["message_id"]) == ("unavailable", complete["message_id"])
    tail = Tail(f"attempt_{chat['chat_id']}")
    tail.take(learner)
    assert complete["content"] == tail.text(complete["message_id"])
    assert "".join(WORDS).startswith(complete["content"])
    await check_chat(world.server.app[keys.STORE], chat["chat_id"])
    await world.server.script()
    await learner.send("attempt_message", **chat, message="Once more.")
    await learner.until("attempt_assistant_complete", count=2)


async def test_an_unreachable_model_is_an_upstream_error(world: World) -> None:
    learner = await world.cast.learner()
    await world.server.model.stop()
    ack = await learner.send("attempt_start", practice_id=practice("one"))
    chat = {"attempt_id": ack["attempt_id"], "chat_id": ack["chat_id"]}
    said = await learner.send("attempt_message", **chat, message="Hello?")
    error = await learner.until("attempt_error", type="send")
    assert error["code"] == "upstream"
    assert error["message_id"] == said["assistant_message_id"]
    assert [m.content for m in (await world.chat(chat["chat_id"])).messages] == ["Hello?"]
    await learner.send("attempt_end", **chat)
    failed = await learner.until("attempt_error", type="grade")
    assert failed["code"] == "upstream"
    await learner.until("attempt_ended")


async def test_a_replay_goes_on_when_the_database_is_back(world: World) -> None:
    learner = await world.cast.learner()
    ack = await learner.send("attempt_start", practice_id=practice("one"))
    room = f"attempt_{ack['chat_id']}"
    for n in range(700):  # more than two pages
        head = await world.server.app[keys.HUB].log.publish(room, "attempt_progress", b'{"content":"%d"}' % n)
    await learner.send("room_replay", room=room, speed=1)
    await learner.until("replay_entry")
    await world.kill()
    await world.revive()
    assert (await learner.until("replay_end", within=40))["offset"] == head
    assert [e["offset"] for e in learner.named("replay_entry")] == list(range(1, head + 1))
