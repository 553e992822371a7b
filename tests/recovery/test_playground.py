"""Answers of the playground when processes die, stop or share one database; forgetting that is cut off."""

import asyncio
from typing import Any

import pytest

from schemas.playground import PlaygroundSession
from schemas.retrieval import RetrievalParams
from server.engine.access import Identity
from server.engine.ids import new
from server.engine.playground.rooms import forgotten
from server.llm.scripted import ScriptedModel
from server.transports import keys
from tests.conftest import Cast
from tests.recovery.test_across_processes import everywhere, two
from tests.support.clients import Socket, socket
from tests.support.playgrounds import HOURS, Session, join, pipeline
from tests.support.process import ServerProcess
from tests.support.running import Server, running, settings_for

HANGING: dict[str, Any] = {"chunks": ["One, ", "two"], "hang": True}
Model = tuple[ScriptedModel, str]


async def answering(server: Server, client: Socket, author_id: str) -> Session:
    """Begin an answer that does not end by itself."""
    await server.script(HANGING)
    session = await join(client, await pipeline(server, author_id, HOURS))
    await session.send()
    await session.hears("One, two")
    return session


async def stored(server: Server, session: Session) -> PlaygroundSession:
    found = await server.app[keys.STORE].playground.get(session.session_id)
    assert found is not None
    return found


def kinds(session: PlaygroundSession) -> set[str]:
    """Return what is kept of the last message besides its text."""
    return {note.type for note in session.chat_messages[-1].annotations}


async def test_an_answer_is_stopped_from_the_other_process(mongod_url: str, model: Model) -> None:
    for bell in ("heard", "killed"):
        async with two(mongod_url, model, bell=bell) as servers, everywhere(servers) as (phone, laptop):
            session = await answering(servers[0], phone, new())
            other = await join(laptop, session.pipeline_id)
            assert other.session_id == session.session_id
            await laptop.send("playground_stop", pipeline_id=session.pipeline_id)
            for device in (phone, laptop):
                done = await device.until("playground_complete")
                assert (done["content"], done["state"]) == ("One, two", "stopped")
            assert "sources" in kinds(await stored(servers[0], session))


async def test_an_answer_is_taken_over_with_all_that_was_seen(mongod_url: str, model: Model) -> None:
    """The second process has the room loaded, and hears nothing of what it is to take over."""
    async with two(mongod_url, model, bell="killed") as servers, everywhere(servers) as (phone, _):
        first, second = servers[0].app, servers[1].app
        session = await answering(servers[0], phone, new())
        await second[keys.PLAYGROUND].take_over(await stored(servers[1], session))
        done = await phone.until("playground_complete")
        assert (done["content"], done["state"]) == ("One, two", "interrupted")
        assert (await phone.until("playground_error"))["code"] == "unavailable"
        kept = await stored(servers[1], session)
        assert (kept.reply, kept.chat_messages[-1].content) == (None, "One, two")
        assert kinds(kept) == {"sources", "state"}
        first[keys.PLAYGROUND].replies.interrupt_all()


async def test_what_is_forgotten_elsewhere_is_ended(mongod_url: str, model: Model) -> None:
    """The other process answers, and hears of nothing."""
    async with two(mongod_url, model, bell="killed") as servers, everywhere(servers) as (phone, laptop):
        session = await answering(servers[0], phone, new())
        user = (await stored(servers[0], session)).owner.id
        caller = Identity(kind="profile", id=user, role="learner")
        await servers[1].app[keys.PLAYGROUND].forget(caller, session.pipeline_id)
        await model[0].until("closed_by_client")
        store = servers[1].app[keys.STORE]
        assert await store.database.entries.count_documents({"_id.r": session.room}) == 0
        assert (await join(laptop, session.pipeline_id)).session_id != session.session_id


async def test_an_answer_that_its_session_does_not_know_is_ended(server: Server, cast: Cast) -> None:
    session = await answering(server, await cast.learner(), cast.author_id)
    await server.app[keys.STORE].playground.forget(session.session_id, [])
    await server.model.until("closed_by_client")
    kept = await stored(server, session)
    assert (kept.reply, kept.chat_messages) == (None, [])


async def test_nothing_is_answered_when_nothing_can_be_searched(mongod_url: str, model: Model) -> None:
    settings = settings_for(
        mongod_url,
        model[1],
        embedding_model="vectors",
        playground_models={"GPT_4O_MINI": "mini"},
        model_retries=0,
    )
    async with running(settings) as (url, app):
        server = Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))
        pipeline_id = await pipeline(server, new(), HOURS)
        async with socket(url, {"token": server.token(new())}) as client:
            session = await join(client, pipeline_id)
            await server.script({"match": {"endpoint": "embeddings"}, "status": 503})
            error = await session.fails()
            assert error["code"] in ("upstream", "unavailable")
            assert client.named("playground_sources") == []
            assert [seen for seen in await server.asked() if seen["endpoint"] == "chat"] == []
            await server.script()
            await session.say()
            assert (await server.asked())[-1]["model"] == "mini"


async def test_a_process_that_stops_keeps_what_was_said(mongod_url: str, model: Model) -> None:
    settings = settings_for(mongod_url, model[1])
    async with running(settings) as (url, app):
        server = Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))
        async with socket(url, {"token": server.token(new())}) as client:
            session = await answering(server, client, new())
            app[keys.DRAIN].begin()
            await app[keys.DRAIN].finish(patience=0.0)
            done = await client.until("playground_complete")
            assert (done["content"], done["state"]) == ("One, two", "interrupted")
            assert (await stored(server, session)).reply is None
            ack = await client.call("playground_message", pipeline_id=session.pipeline_id, message="More?")
            assert ack["error"]["code"] == "unavailable"


@pytest.mark.timeout(120)
async def test_a_kill_in_the_middle_of_an_answer(mortal: ServerProcess, model: Model) -> None:
    """What was acknowledged is there once, and the answer is closed with what was seen of it."""
    async with running(mortal.settings.model_copy(update={"port": 0, "job_slots": 8})) as (_, app):
        maker = Server(url="", app=app, model=model[0], model_url=model[1].removesuffix("/v1"))
        pipeline_id = await pipeline(maker, new(), HOURS)
    model[0].script([HANGING])
    token, key = mortal.token(new()), new()
    async with socket(mortal.url, {"token": token}) as client:
        session = await join(client, pipeline_id)
        ack = await session.send(client_event_id=key)
        await session.hears("One, two")
        last = client.seen_last("playground_progress")["offset"]
        await mortal.kill()
        await client.client.wait()
    model[0].script([])
    await mortal.start()
    async with socket(mortal.url, {"token": token}) as client:
        epoch = session.ack["epoch"]
        joined = await client.send("playground_join", pipeline_id=pipeline_id, after=last, epoch=epoch)
        assert (joined["session_id"], joined["recovered"]) == (session.session_id, True)
        done = await client.until("playground_complete", message_id=ack["assistant_message_id"])
        assert (done["content"], done["state"]) == ("One, two", "interrupted")
        again = Session(client, pipeline_id, session.session_id, joined)
        repeated = await again.send(client_event_id=key)
        assert repeated["message_id"] == ack["message_id"]
        await again.say("And now?")
    kept = await mortal.store.playground.get(session.session_id)
    assert kept is not None
    assert [m.role for m in kept.chat_messages] == ["user", "assistant", "user", "assistant"]
    assert [m.index for m in kept.chat_messages] == [0, 1, 2, 3]


async def test_forgetting_that_was_cut_off_is_finished(server: Server, cast: Cast) -> None:
    """A process died right after the session was taken from its user: the keeper empties the room."""
    session = await join(await cast.learner(), await pipeline(server, cast.author_id, HOURS))
    await session.say()
    store, keeper = server.app[keys.STORE], server.app[keys.PLAYGROUND_KEEPER]
    assert await store.playground.forget(session.session_id, [forgotten(session.session_id)]) is not None
    entries = store.database.entries
    async with asyncio.timeout(20):
        while await entries.count_documents({"_id.r": session.room}):
            await keeper.forget()  # the sweeper publishes what is to be told first
    assert session.client.named("playground_forgotten")
    kept = await store.playground.get(session.session_id)
    assert kept is None or (kept.chat_messages, kept.user_key) == ([], f"forgotten:{session.session_id}")
    await store.playground.drop([session.session_id], seconds=-60)
    assert await store.playground.get(session.session_id) is None


async def test_an_answer_that_no_task_is_at_is_closed(server: Server, cast: Cast) -> None:
    """Our own process has stored an answer and lost it before it began."""
    session = await join(await cast.learner(), await pipeline(server, cast.author_id, HOURS))
    store, name = server.app[keys.STORE], server.app[keys.PROCESS].name
    kept = await stored(server, session)
    reply = {"message_id": new(), "created_at": kept.created_at, "owner": name, "fence": 1}
    await store.playground.change(session.session_id, when={}, update={"$set": {"reply": reply}})
    done = await session.client.until("playground_complete")
    assert (done["state"], done["content"]) == ("interrupted", "")
    assert (await stored(server, session)).reply is None


async def test_null_settings_are_kept_as_they_are(server: Server, cast: Cast) -> None:
    """Filters with null in them, and nulls that are no defaults, are read as they were written."""
    pipeline_id = await pipeline(server, cast.author_id)
    session = await join(await cast.learner(), pipeline_id)
    filters = {"filters": [{"key": "a.b", "value": None, "operator": "is_empty"}], "condition": None}
    params = RetrievalParams.model_validate({"search_filters": filters, "alpha": None})
    await server.app[keys.STORE].playground.change(
        session.session_id, when={}, update={"$set": {"retrieval_params": params.model_dump()}}
    )
    assert (await stored(server, session)).retrieval_params == params
