"""Chats over HTTP that are asked for again: of another process, after a change of numbers, and too much."""

import asyncio
from pathlib import Path

import aiohttp
import orjson

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.transports import keys
from tests.playground.chats import (
    address,
    chat,
    hanging,
    opened,
    pipeline_of,
    said,
    session_of,
    streamed,
    watching,
)
from tests.support.process import server_process
from tests.support.rest import people_of
from tests.support.running import Server, running, settings_for

HANGING = {"chunks": ["One, ", "two"], "hang": True}


async def test_every_process_tells_an_answer_from_its_beginning(server: Server, tmp_path: Path) -> None:
    await server.script(HANGING)
    settings = server.app[keys.SETTINGS]
    async with (
        people_of(server) as people,
        server_process(settings, tmp_path / "server.log") as other,
        aiohttp.ClientSession() as http,
    ):
        await other.start()
        learner, pipeline_id = people.a("learner"), await pipeline_of(people.a("author"))
        url = address(learner, pipeline_id).replace(server.url, other.url)
        headers = {**learner.headers, "Idempotency-Key": "k-1"}
        body = {"messages": said("Hello?")}
        async with opened(http, url, headers=headers, body=body) as (there, events):
            async for name, _ in events:
                if name == "playground_progress":
                    break
            async with hanging(http, learner, pipeline_id, key="k-1") as (here, more):
                async with watching(server, learner, pipeline_id) as watcher:
                    await watcher.send("playground_stop", pipeline_id=pipeline_id)
                for stream in (events, more):
                    async for _ in stream:
                        pass
        assert there.events == here.events
        assert here.names == ["playground_sources", "playground_progress", "playground_complete"]
        whole = await chat(learner, pipeline_id, said("Hello?"), key="k-1")
        assert (whole["state"], whole["message"]["content"]) == ("stopped", "One, two")
        assert len(await server.asked()) == 1


async def test_an_answer_is_found_when_the_numbers_of_its_room_are_gone(server: Server) -> None:
    await server.script({"reply": "At nine."})
    async with people_of(server) as people:
        learner, pipeline_id = people.a("learner"), await pipeline_of(people.a("author"))
        first = await chat(learner, pipeline_id, said("Hello?"), key="k-1")
        await server.app[keys.PROCESS].renew_epoch()
        assert await chat(learner, pipeline_id, said("Hello?"), key="k-1") == first
        told = await streamed(learner, pipeline_id, said("Hello?"), key="k-1")
        assert told.names == ["playground_sources", "playground_complete"]
        assert told.events[-1][1]["content"] == "At nine."
        await learner.delete(f"pipelines/{pipeline_id}/playground-session")
        await chat(learner, pipeline_id, said("Hello?"), key="k-1", status=410)
        assert (await session_of(learner, pipeline_id))["chat_messages"] == []


async def test_an_answer_is_waited_for_when_the_numbers_of_its_room_change(server: Server) -> None:
    await server.script(HANGING)
    async with people_of(server) as people, aiohttp.ClientSession() as http:
        learner, pipeline_id = people.a("learner"), await pipeline_of(people.a("author"))
        async with hanging(http, learner, pipeline_id, key="k-1"):
            whole = asyncio.create_task(chat(learner, pipeline_id, said("Hello?"), key="k-1"))
        await server.app[keys.PROCESS].renew_epoch()
        async with watching(server, learner, pipeline_id) as watcher:
            await watcher.send("playground_stop", pipeline_id=pipeline_id)
        assert (await whole)["message"]["content"] == "One, two"


async def test_an_answer_is_kept_for_who_did_not_wait(server: Server) -> None:
    await server.script({"chunks": ["One, ", "two"], "delay_ms": 100})
    async with people_of(server) as people:
        learner, pipeline_id = people.a("learner"), await pipeline_of(people.a("author"))
        async with watching(server, learner, pipeline_id) as watcher:
            whole = asyncio.create_task(chat(learner, pipeline_id, said("Hello?")))
            await watcher.until("playground_progress")
            whole.cancel()
            await watcher.until("playground_complete")
        kept = await session_of(learner, pipeline_id)
        assert kept["chat_messages"][-1]["content"] == "One, two"


async def test_a_conversation_has_bounds(server: Server) -> None:
    long = "x" * 60_000
    async with people_of(server) as people:
        learner, pipeline_id = people.a("learner"), await pipeline_of(people.a("author"))
        fits = said(*[long] * 20, "And now?")
        await chat(learner, pipeline_id, fits)
        assert len((await session_of(learner, pipeline_id))["chat_messages"]) == 22
        for many in (80, 160):  # more than a session, and than a body may have
            refused = await chat(learner, pipeline_id, said(*[long] * many, "And now?"), status=413)
            assert set(refused) == {"detail"}
        nested = b"[" * 100 + b"]" * 100
        deep = orjson.dumps({"messages": said("a"), "data": orjson.Fragment(nested)})
        answer = await learner.ask("POST", f"pipelines/{pipeline_id}/chat", status=422, data=deep)
        assert orjson.loads(answer)["detail"][0]["loc"] == ["body"]
        assert len((await session_of(learner, pipeline_id))["chat_messages"]) == 22


async def test_an_answer_whose_process_dies_is_told_as_far_as_it_came(server: Server, tmp_path: Path) -> None:
    await server.script(HANGING)
    settings = server.app[keys.SETTINGS]
    async with (
        people_of(server) as people,
        server_process(settings, tmp_path / "server.log") as other,
        aiohttp.ClientSession() as http,
    ):
        await other.start()
        learner, pipeline_id = people.a("learner"), await pipeline_of(people.a("author"))
        url = address(learner, pipeline_id).replace(server.url, other.url)
        headers = {**learner.headers, "Idempotency-Key": "k-1"}
        async with opened(http, url, headers=headers, body={"messages": said("Hello?")}) as (there, events):
            async for _ in events:
                if "two" in "".join(part["content"] for part in there.named("playground_progress")):
                    break
            await other.kill()
        whole = asyncio.create_task(chat(learner, pipeline_id, said("Hello?"), key="k-1", status=503))
        told = await streamed(learner, pipeline_id, said("Hello?"), key="k-1")
        assert told.events[: len(there.events)] == there.events
        (complete,) = told.named("playground_complete")
        assert (complete["state"], complete["content"]) == ("interrupted", "One, two")
        assert told.events[-1][1]["code"] == "unavailable"
        assert set(await whole) == {"detail"}


async def test_a_message_that_is_sent_again_later_is_told_again(server: Server) -> None:
    mine = {"id": new(), "role": "user", "content": "Hello?"}
    async with people_of(server) as people:
        learner, pipeline_id = people.a("learner"), await pipeline_of(people.a("author"))
        async with watching(server, learner, pipeline_id) as watcher:
            for number, messages in enumerate(([mine], said("Else?"), [mine]), start=1):
                await chat(learner, pipeline_id, messages)
                await watcher.until("playground_complete", count=number)
            told = watcher.named("playground_user_complete")
            assert [one["content"] for one in told] == ["Hello?", "Else?", "Hello?"]
            assert [one["message_id"] == mine["id"] for one in told] == [True, False, True]


async def test_a_chat_counts_as_a_connection_while_it_is_answered(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    settings = settings_for(mongod_url, model[1], connections_per_identity=1)
    model[0].script([HANGING])
    async with running(settings) as (url, app):
        server = Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))
        async with people_of(server) as people, aiohttp.ClientSession() as http:
            learner, pipeline_id = people.a("learner"), await pipeline_of(people.a("author"))
            async with hanging(http, learner, pipeline_id, key="k-1"):
                refused = await chat(learner, pipeline_id, said("Hello?"), key="k-1", status=429)
                assert set(refused) == {"detail"}
                assert int(learner.answered["Retry-After"]) >= 1
                async with hanging(http, people.a("learner"), pipeline_id):
                    pass
