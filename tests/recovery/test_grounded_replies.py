"""Replies that rest on a pipeline when something breaks: the process, or what makes vectors."""

import aiohttp

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.transports import keys
from tests.fold.oracle import check_chat
from tests.playground.client import indexed
from tests.support.clients import socket
from tests.support.grounded import own_persona, talk_of
from tests.support.process import ServerProcess
from tests.support.rest import Rest, people_of
from tests.support.running import Server, running, settings_for

REFUNDS = "Refunds are paid within fourteen days."
Model = tuple[ScriptedModel, str]


async def test_a_reply_that_a_kill_cuts_keeps_its_sources(mortal: ServerProcess, model: Model) -> None:
    model[0].script([{"match": {"last_contains": "refunds"}, "chunks": ["Within "], "hang": True}])
    author_id, token = new(), mortal.token(new())
    async with aiohttp.ClientSession() as http:
        author = Rest(http, mortal.url, profile=author_id, token=mortal.token(author_id, role="author"))
        pipeline_id, practice_id = await own_persona(author, REFUNDS)
        await indexed(author, pipeline_id)
    async with socket(mortal.url, {"token": token}) as client:
        talk = await talk_of(client, practice_id)
        await talk.send("When are refunds paid?")
        await client.until("attempt_progress")
        (told,) = client.named("attempt_sources")
        await mortal.kill()
        await client.client.wait()
    await mortal.start()
    async with socket(mortal.url, {"token": token}) as client:
        join = await client.send("attempt_join", chat_id=talk.chat_id)
        if join["snapshot"].get("running"):
            assert join["snapshot"]["running"]["sources"] == told["sources"]
            await client.until("attempt_error", chat_id=talk.chat_id)
    chat = await mortal.store.chats.get(talk.chat_id)
    assert chat is not None
    reply = chat.messages[-1]
    assert (reply.state, reply.content) == ("interrupted", "Within ")
    assert [s.excerpt for s in reply.sources or []] == [REFUNDS]
    await check_chat(mortal.store, talk.chat_id)


async def test_a_persona_answers_while_nothing_makes_vectors(mongod_url: str, model: Model) -> None:
    scripted, url = model
    settings = settings_for(mongod_url, url, embedding_model="scripted-embedding", model_retries=0)
    async with (
        running(settings) as (address, app),
        people_of(
            server := Server(url=address, app=app, model=scripted, model_url=url.removesuffix("/v1"))
        ) as people,
    ):
        author, learner_id = people.a("author"), new()
        pipeline_id, practice_id = await own_persona(author, REFUNDS)
        await indexed(author, pipeline_id)
        scripted.script([{"match": {"endpoint": "embeddings"}, "status": 400}, {"reply": "Soon."}])
        async with socket(address, {"token": server.token(learner_id)}) as client:
            talk = await talk_of(client, practice_id)
            assert (await talk.say("When are refunds paid?"))["content"] == "Soon."
            assert [t["sources"] for t in client.named("attempt_sources")] == [[]]
            assert not client.named("attempt_error")
            scripted.script([])
            await talk.say("When are refunds paid?")
            assert client.named("attempt_sources")[1]["sources"][0]["excerpt"] == REFUNDS
        await check_chat(app[keys.STORE], talk.chat_id)
