"""Two processes on one database: a reply of one is followed, stopped and taken over in the other."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

import pytest
from pydantic import SecretStr

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.transports import keys
from tests.support.attempts import begin
from tests.support.clients import Socket, socket
from tests.support.running import Server, load_pack, running, settings_for
from tests.support.valkey import valkey_server

HANGING = {"chunks": ["One, ", "two"], "hang": True}
Bell = Literal["heard", "killed"]


@asynccontextmanager
async def two(
    mongod_url: str, model: tuple[ScriptedModel, str], *, bell: Bell
) -> AsyncIterator[tuple[Server, Server]]:
    """Run two servers that share a database, and a bell that works or was killed."""
    async with AsyncExitStack() as stack:
        valkey = await stack.enter_async_context(valkey_server())
        settings = settings_for(mongod_url, model[1], redis_url=SecretStr(valkey.url))
        found = []
        for name in ("first", "second"):
            own = settings.model_copy(update={"instance": name})
            url, app = await stack.enter_async_context(running(own))
            async with asyncio.timeout(20):
                while not app[keys.BELL].healthy:
                    await asyncio.sleep(0)
            found.append(Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1")))
        await load_pack(found[0].app)
        if bell == "killed":
            await valkey.kill()
        yield found[0], found[1]


@asynccontextmanager
async def everywhere(servers: tuple[Server, Server]) -> AsyncIterator[tuple[Socket, Socket]]:
    """Connect one learner to both."""
    token = servers[0].token(new())
    async with (
        socket(servers[0].url, {"token": token}) as one,
        socket(servers[1].url, {"token": token}) as other,
    ):
        yield one, other


@pytest.mark.parametrize(("bell", "seconds"), [("heard", 1.5), ("killed", 5.0)])
async def test_a_reply_is_followed_and_stopped_from_the_other(
    mongod_url: str, model: tuple[ScriptedModel, str], bell: Bell, seconds: float
) -> None:
    """Each stop works, and it is quick at least once in a few times: a machine may stall."""
    async with two(mongod_url, model, bell=bell) as servers, everywhere(servers) as (phone, laptop):
        await servers[0].script(HANGING)
        took: list[float] = []
        while len(took) < 5 and min(took, default=seconds) >= seconds:
            talk = await begin(phone)
            joined = await laptop.send("attempt_join", chat_id=talk.chat_id)
            assert joined["room"] == talk.room
            await talk.send("Count.")
            await laptop.until("attempt_progress", content_type="delta", room=talk.room)
            await talk.hears("One, two")
            began = time.monotonic()
            assert (await laptop.send("attempt_stop", chat_id=talk.chat_id))["success"]
            await model[0].until("closed_by_client", len(took) + 1)
            took.append(time.monotonic() - began)
            for device in (phone, laptop):
                done = await device.until("attempt_assistant_complete", chat_id=talk.chat_id)
                assert (done["content"], done["state"]) == ("One, two", "stopped")
                await device.until("attempt_stopped", chat_id=talk.chat_id)
        assert min(took) < seconds


async def test_a_reply_is_taken_over_with_all_that_was_seen(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    """The second process has the room loaded, and hears nothing of what it is to take over."""
    async with two(mongod_url, model, bell="killed") as servers, everywhere(servers) as (phone, _):
        await servers[0].script(HANGING)
        first, second = servers[0].app, servers[1].app
        while True:  # it reads all rooms every 250 ms, by chance just now
            talk = await begin(phone)
            room = await second[keys.HUB].room(talk.room)
            await talk.send("Count.")
            await talk.hears("One, two")
            if room.head < (await second[keys.STORE].entries.top(talk.room)):
                break
        chat = await second[keys.STORE].chats.get(talk.chat_id)
        assert chat is not None
        assert chat.reply is not None
        await second[keys.CONVERSATION].take_over(chat)
        done = await phone.until("attempt_assistant_complete", chat_id=talk.chat_id)
        assert (done["content"], done["state"]) == ("One, two", "interrupted")
        kept = await second[keys.STORE].chats.get(talk.chat_id)
        assert kept is not None
        assert (kept.reply, kept.messages[-1].content) == (None, "One, two")
        first[keys.CONVERSATION].interrupt_all()


async def test_a_resumed_client_is_recovered_by_a_process_that_heard_less(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    async with two(mongod_url, model, bell="killed") as servers, everywhere(servers) as (phone, laptop):
        talk = await begin(phone)
        await servers[1].app[keys.HUB].room(talk.room)
        await talk.say()
        last = talk.entries()[-1][1]["offset"]

        joined = await laptop.send("attempt_join", chat_id=talk.chat_id, after=last)
        assert (joined["recovered"], "snapshot" in joined) == (True, False)
