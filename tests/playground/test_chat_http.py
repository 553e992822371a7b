"""Chats of playground sessions over HTTP: as JSON, as a stream, again, together, and cut off."""

import asyncio
from typing import Any

import aiohttp
import orjson
import pytest

from server.engine.ids import new
from server.transports import keys
from tests.playground.chats import (
    Data,
    chat,
    hanging,
    pipeline_of,
    said,
    session_of,
    streamed,
    watching,
)
from tests.support.rest import People, Rest, people_of
from tests.support.running import Server

HANGING = {"chunks": ["One, ", "two"], "hang": True}


async def test_an_answer_is_kept_and_answered_whole(server: Server) -> None:
    await server.script({"reply": "At nine."})
    async with people_of(server) as people:
        learner, pipeline_id = await reader(people)
        answer = await chat(learner, pipeline_id, said("When does it open?"))
        session = await session_of(learner, pipeline_id)
        user, assistant = session["chat_messages"]
        assert set(answer) == {"session_id", "message", "usage", "state"}
        assert (answer["session_id"], answer["message"]) == (session["id"], assistant)
        assert (answer["state"], assistant["content"]) == ("complete", "At nine.")
        assert answer["usage"]["completion_tokens"] > 0
        assert (user["role"], user["content"]) == ("user", "When does it open?")
        assert [user["index"], assistant["index"]] == [0, 1]
        for message in (user, assistant):
            assert set(message) == {
                "id", "index", "annotations", "role", "content", "additional_kwargs", "class_name",
            }  # fmt: skip


async def test_a_stream_tells_sources_words_and_the_end(server: Server) -> None:
    await server.script({"reply": "At nine in the morning."})
    async with people_of(server) as people:
        learner, pipeline_id = await reader(people)
        told = await streamed(learner, pipeline_id, said("When does it open?"))
        assert (told.status, told.content_type) == (200, "text/event-stream")
        assert told.names == ["playground_sources", "playground_progress", "playground_complete"]
        (complete,) = told.named("playground_complete")
        assert complete["content"] == "At nine in the morning."
        assert "".join(part["content"] for part in told.named("playground_progress")) == complete["content"]
        session = await session_of(learner, pipeline_id)
        assert session["chat_messages"][-1]["id"] == complete["message_id"]
        for _, data in told.events:
            assert data["session_id"] == session["id"]
            assert (data["message_id"], data["room"]) == (
                complete["message_id"], f"playground_{session['id']}",
            )  # fmt: skip


async def test_settings_of_a_chat_are_used_and_kept(server: Server) -> None:
    async with people_of(server) as people:
        learner, pipeline_id = await reader(people)
        data: dict[str, Data] = {
            "llm_parameters": {"temperature": 0.7, "system_prompt": "Answer as a pirate."},
            "retrieval_parameters": {"alpha": 0, "sparse_similarity_top_k": 3},
        }
        await chat(learner, pipeline_id, said("Hello?"), data=data)
        session = await session_of(learner, pipeline_id)
        for kept, given in (("llm_params", "llm_parameters"), ("retrieval_params", "retrieval_parameters")):
            assert session[kept] == {**session[kept], **data[given]}
        await chat(learner, pipeline_id, said("Hello?"))
        for asked in (await server.asked())[-2:]:
            assert asked["body"]["temperature"] == 0.7
            assert "Answer as a pirate." in asked["body"]["messages"][0]["content"]


async def test_the_conversation_that_is_sent_is_the_one_that_is_kept(server: Server) -> None:
    await server.script({"reply": "Yes."})
    async with people_of(server) as people:
        learner, pipeline_id = await reader(people)
        await chat(learner, pipeline_id, said("One?"))
        first = (await session_of(learner, pipeline_id))["chat_messages"]
        kept = [{name: message[name] for name in ("id", "role", "content")} for message in first]
        mine = {"id": new(), "role": "user", "content": "Two?"}
        await chat(learner, pipeline_id, [*kept, mine])
        second = (await session_of(learner, pipeline_id))["chat_messages"]
        assert second[:2] == first
        assert second[2]["id"] == mine["id"]
        assert [message["index"] for message in second] == [0, 1, 2, 3]
        await chat(learner, pipeline_id, [*kept, mine])  # the same again is answered anew
        third = (await session_of(learner, pipeline_id))["chat_messages"]
        assert [message["content"] for message in third] == ["One?", "Yes.", "Two?", "Yes."]
        assert third[3]["id"] != second[3]["id"]
        await chat(learner, pipeline_id, said("Else?"))
        assert len((await session_of(learner, pipeline_id))["chat_messages"]) == 2


async def test_under_one_key_a_chat_acts_once(server: Server) -> None:
    await server.script({"reply": "Only once."})
    async with people_of(server) as people:
        learner, pipeline_id = await reader(people)
        messages = said("Hello?")
        answers = await asyncio.gather(*(chat(learner, pipeline_id, messages, key="k-1") for _ in range(5)))
        answers.append(await chat(learner, pipeline_id, messages, client_event_id="k-1"))
        assert answers == [answers[0]] * 6
        for _ in range(2):
            told = await streamed(learner, pipeline_id, messages, key="k-1")
            assert told.names == ["playground_sources", "playground_progress", "playground_complete"]
            assert told.events[-1][1]["message_id"] == answers[0]["message"]["id"]
        refused = await chat(learner, pipeline_id, said("Something else."), key="k-1", status=409)
        assert "detail" in refused
        stranger = people.a("learner")
        assert (await chat(stranger, pipeline_id, messages, key="k-1")) != answers[0]
        assert len(await server.asked()) == 2


async def test_two_at_a_time_are_one_too_many(server: Server) -> None:
    await server.script(HANGING)
    async with people_of(server) as people, aiohttp.ClientSession() as http:
        learner, pipeline_id = await reader(people)
        async with hanging(http, learner, pipeline_id):
            refused = await chat(learner, pipeline_id, said("And this?"), status=409)
            assert "detail" in refused


async def test_an_answer_goes_on_when_its_client_has_gone(server: Server) -> None:
    words = [f"word{i} " for i in range(20)]
    await server.script({"chunks": words, "delay_ms": 30})
    async with people_of(server) as people, aiohttp.ClientSession() as http:
        learner, pipeline_id = await reader(people)
        session = await session_of(learner, pipeline_id)
        async with watching(server, learner, pipeline_id) as watcher:
            async with hanging(http, learner, pipeline_id, key="k-2"):
                pass
            await watcher.until("playground_complete")
        told = await streamed(learner, pipeline_id, said("Hello?"), key="k-2")
        assert told.events[-1][1]["content"] == "".join(words)
        assert (await session_of(learner, pipeline_id))["chat_messages"][-1]["content"] == "".join(words)
        assert session["id"] == told.events[-1][1]["session_id"]
        assert len(await server.asked()) == 1


@pytest.mark.parametrize(
    ("rule", "status", "code"),
    [
        ({"status": 400, "error": {"message": "no"}}, 502, "upstream"),
        ({"chunks": ["One, ", "two"], "break_after": 2}, 502, "upstream"),
    ],
)
async def test_what_a_model_fails_to_say_is_an_error(
    server: Server, rule: Data, status: int, code: str
) -> None:
    await server.script(rule)
    async with people_of(server) as people:
        learner, pipeline_id = await reader(people)
        failed = await chat(learner, pipeline_id, said("Hello?"), status=status)
        assert set(failed) == {"detail"}
        told = await streamed(learner, pipeline_id, said("Hello?"))
        name, data = told.events[-1]
        assert (name, data["code"]) == ("playground_error", code)
        assert data["message"] == failed["detail"]


async def test_an_answer_that_is_stopped_is_what_was_said(server: Server) -> None:
    await server.script(HANGING)
    async with people_of(server) as people, aiohttp.ClientSession() as http:
        learner, pipeline_id = await reader(people)
        whole = asyncio.create_task(chat(learner, pipeline_id, said("Hello?"), key="k-3"))
        async with watching(server, learner, pipeline_id) as watcher:
            await watcher.until("playground_progress")
            async with hanging(http, learner, pipeline_id, key="k-3") as (told, events):
                await watcher.send("playground_stop", pipeline_id=pipeline_id)
                async for _ in events:
                    pass
        assert told.events[-1][1]["state"] == "stopped"
        answer = await whole
        assert (answer["state"], answer["message"]["content"]) == ("stopped", "One, two")


async def test_an_answer_ends_with_its_session(server: Server) -> None:
    await server.script(HANGING)
    async with people_of(server) as people, aiohttp.ClientSession() as http:
        learner, pipeline_id = await reader(people)
        async with hanging(http, learner, pipeline_id, key="k-4") as (told, events):
            body = {"messages": said("Hello?"), "client_event_id": "k-4"}
            whole = asyncio.create_task(learner.outcome("POST", f"pipelines/{pipeline_id}/chat", body))
            await learner.delete(f"pipelines/{pipeline_id}/playground-session")
            async for _ in events:
                pass
        name, last = told.events[-1]
        assert name in ("playground_forgotten", "playground_error") or last["state"] == "stopped"
        assert await whole in (200, 410)  # it was stopped first, and may have been read before it was gone
        assert (await session_of(learner, pipeline_id))["chat_messages"] == []


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["body", "messages"]),
        ({"messages": []}, ["body", "messages"]),
        ({"messages": said("a", "b")}, ["body", "messages", 1, "role"]),
        ({"messages": said(" ")}, ["body", "messages", 0, "content"]),
        ({"messages": [{"role": "user"}]}, ["body", "messages", 0, "content"]),
        ({"messages": said("x" * 32_001)}, ["body", "messages", 0, "content"]),
        ({"messages": said(*"a" * 401)}, ["body", "messages"]),
        ({"messages": [{"id": "1", "role": "user", "content": "a"}]}, ["body", "messages", 0, "id"]),
        ({"messages": said("a"), "client_event_id": ""}, ["body", "client_event_id"]),
        (
            {"messages": said("a"), "data": {"retrieval_parameters": {"alpha": "0.5"}}},
            ["body", "data", "retrieval_parameters", "alpha"],
        ),
    ],
)
async def test_what_is_no_chat_is_refused_and_changes_nothing(
    server: Server, body: Any, loc: list[Any]
) -> None:
    async with people_of(server) as people:
        learner, pipeline_id = await reader(people)
        before = await session_of(learner, pipeline_id)
        path = f"pipelines/{pipeline_id}/chat"
        for headers in ({}, {"Accept": "text/event-stream"}):
            answer = await learner.ask("POST", path, status=422, data=orjson.dumps(body), headers=headers)
            assert [problem["loc"] for problem in orjson.loads(answer)["detail"]] == [loc]
        assert await session_of(learner, pipeline_id) == before
        assert await server.asked() == []


async def test_a_key_is_a_short_text_and_an_id_is_used_once(server: Server) -> None:
    async with people_of(server) as people:
        learner, pipeline_id = await reader(people)
        for key in (" ", "x" * 65):
            (problem,) = (await chat(learner, pipeline_id, said("a"), key=key, status=422))["detail"]
            assert problem["loc"] == ["header", "Idempotency-Key"]
        twice = [{**message, "id": "6f1c2a51-7f0e-4a53-9a42-0d6b1d6cf6a1"} for message in said("a", "b", "c")]
        (problem,) = (await chat(learner, pipeline_id, twice, status=422))["detail"]
        assert problem["loc"] == ["body", "messages", 1, "id"]


async def test_a_process_that_is_about_to_stop_ends_what_it_says(server: Server) -> None:
    await server.script(HANGING)
    async with people_of(server) as people, aiohttp.ClientSession() as http:
        learner, pipeline_id = await reader(people)
        other = people.a("learner")
        async with hanging(http, learner, pipeline_id) as (told, events):
            whole = asyncio.create_task(chat(other, pipeline_id, said("Hello?"), status=503))
            async with watching(server, other, pipeline_id) as watcher:
                await watcher.until("playground_progress")
            drain = server.app[keys.DRAIN]
            drain.begin()
            refused = await chat(people.a("learner"), pipeline_id, said("Hello?"), status=503)
            assert "detail" in refused
            await drain.finish(patience=0.0)
            async for _ in events:
                pass
        assert told.events[-1][1]["code"] == "unavailable"
        assert told.named("playground_complete")[0]["state"] == "interrupted"
        assert "detail" in await whole


async def reader(people: People) -> tuple[Rest, str]:
    """Return somebody who may read a pipeline."""
    return people.a("learner"), await pipeline_of(people.a("author"))
