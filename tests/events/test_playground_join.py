"""playground_join and playground_stop: a session that is made once, resumed, stopped and forgotten."""

import asyncio
from typing import Any

from schemas.envelope import Id
from server.engine.access import Identity
from server.transports import keys
from tests.conftest import Cast
from tests.support.attempts import Client, refused
from tests.support.playgrounds import HOURS, Session, join, pipeline
from tests.support.running import Server

HANGING = {"chunks": ["One, ", "two"], "hang": True}
PRESET = {"alpha": 0.75, "sparse_similarity_top_k": 5}


def learner_of(cast: Cast) -> Identity:
    return Identity(kind="profile", id=cast.learner_id, role="learner")


async def entries(server: Server, room: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        await server.app[keys.STORE].database.entries.find({"_id.r": room}).to_list(None)
    )
    return found


async def answering(server: Server, client: Client, author_id: Id) -> Session:
    """Begin an answer that does not end by itself."""
    await server.script(HANGING)
    session = await join(client, await pipeline(server, author_id, HOURS))
    await session.send()
    await session.hears("One, two")
    return session


async def test_a_new_session_has_the_pipelines_preset(server: Server, cast: Cast) -> None:
    pipeline_id = await pipeline(server, cast.author_id, preset_retrieval_parameters=PRESET)
    session = await join(await cast.learner(), pipeline_id)
    snapshot = session.ack["snapshot"]
    assert session.ack["room"] == session.room
    assert snapshot["session"]["pipeline_id"] == pipeline_id
    assert {name: snapshot["retrieval_params"][name] for name in PRESET} == PRESET
    assert snapshot["llm_params"]["model_name"] == "GPT_4O_MINI"
    assert snapshot["messages"] == []


async def test_many_at_once_make_one_session(server: Server, cast: Cast) -> None:
    pipeline_id = await pipeline(server, cast.author_id)
    clients = [await cast.learner() for _ in range(5)]
    joined = await asyncio.gather(*(join(client, pipeline_id) for client in clients for _ in range(5)))
    assert len({session.session_id for session in joined}) == 1


async def test_a_place_is_resumed(server: Server, cast: Cast, client: Client) -> None:
    session = await join(client, await pipeline(server, cast.author_id, HOURS))
    await session.say()
    last = client.seen_last("playground_complete")
    other = await cast.learner()
    first = client.named("playground_user_complete")[0]["offset"]
    epoch = session.ack["epoch"]
    ack = await other.send("playground_join", pipeline_id=session.pipeline_id, after=first, epoch=epoch)
    assert (ack["recovered"], "snapshot" in ack) == (True, False)
    assert await other.until("playground_complete") == last
    assert other.named("playground_user_complete") == []


async def test_what_is_said_is_kept_when_it_is_stopped(server: Server, cast: Cast, client: Client) -> None:
    session = await answering(server, client, cast.author_id)
    running = (await session.snapshot())["running"]
    assert (running["text"], len(running["sources"])) == ("One, two", 1)
    ack = await client.send("playground_stop", pipeline_id=session.pipeline_id)
    assert ack["message_id"] == running["message_id"]
    done = await client.until("playground_complete")
    assert (done["content"], done["state"]) == ("One, two", "stopped")
    await server.model.until("closed_by_client")
    kept = (await session.snapshot())["messages"][-1]
    assert (kept["content"], kept["state"], len(kept["sources"])) == ("One, two", "stopped", 1)
    assert "playground_error" not in client.names()
    await refused(client, "playground_stop", "conflict", pipeline_id=session.pipeline_id)


async def test_nothing_stays_of_a_forgotten_session(server: Server, cast: Cast, client: Client) -> None:
    session = await answering(server, client, cast.author_id)
    playground, store = server.app[keys.PLAYGROUND], server.app[keys.STORE]
    await playground.forget(learner_of(cast), session.pipeline_id)
    await client.until("playground_forgotten", session_id=session.session_id)
    await server.model.until("closed_by_client")
    assert await entries(server, session.room) == []
    left = await store.playground.get(session.session_id)
    assert left is None or left.chat_messages == []
    checkpoint = await store.entries.checkpoint(session.room, epoch=session.ack["epoch"])
    assert checkpoint is not None
    assert "One, two" not in str(checkpoint)
    await refused(client, "room_join", "not_found", room=session.room)
    await playground.forget(learner_of(cast), session.pipeline_id)
    await server.script()
    again = await join(client, session.pipeline_id)
    assert again.session_id != session.session_id
    assert again.ack["snapshot"]["messages"] == []
    await again.say()


async def test_a_session_is_gone_with_its_pipeline(server: Server, cast: Cast) -> None:
    session = await join(await cast.learner(), await pipeline(server, cast.author_id, HOURS))
    await session.say()
    author = Identity(kind="profile", id=cast.author_id, role="author")
    await server.app[keys.PIPELINES].delete(author, session.pipeline_id)
    await refused(session.client, "playground_join", "not_found", pipeline_id=session.pipeline_id)
    stranger = await cast.learner()
    await refused(stranger, "room_join", "not_found", room=session.room)
    await server.app[keys.PLAYGROUND_KEEPER].forget()
    assert await entries(server, session.room) == []
