"""HTTP sessions whose requests come to any process: what they do, and where they live."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from server.engine.ids import new
from tests.scaled.cluster import Cluster
from tests.support.clients import Http
from tests.support.running import practice
from tests.support.tail import Tail

CLIENTS = 6
WORDS = [f"{n} " for n in range(300)]


@asynccontextmanager
async def wandering(cluster: Cluster, learner: str) -> AsyncIterator[Http]:
    """Give a client that opens a connection for each request, so that any process may get it."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
        client = Http(http, cluster.url, {"Authorization": f"Bearer {cluster.token(learner)}"})
        try:
            yield client
        finally:
            await client.drop()


async def test_posts_act_and_join_for_the_stream_wherever_they_come(shared: Cluster) -> None:
    await shared.script({"chunks": ["All ", "is ", "well."]})
    for _ in range(CLIENTS):
        async with wandering(shared, new()) as client:
            await client.connect()
            start = await client.send("attempt_start", practice_id=practice("one"))
            ids = {"attempt_id": start["attempt_id"], "chat_id": start["chat_id"]}
            await client.send("attempt_message", **ids, message="Hello.")
            done = await client.until("attempt_assistant_complete", chat_id=ids["chat_id"])
            assert done["content"] == "All is well."
            joined = await client.send("attempt_join", chat_id=ids["chat_id"])
            assert joined["offset"] > 0
            refused = await client.call("attempt_message", attempt_id=new(), chat_id=new(), message="Hello.")
            assert refused["error"]["code"] == "not_found"
            await client.until("attempt_error", code="not_found")
            tail = Tail(f"attempt_{ids['chat_id']}")
            tail.take(client)
            assert tail.last >= 3
            await client.send("attempt_leave", chat_id=ids["chat_id"])
            await client.send("disconnect")
            await client.ended()


async def test_a_stream_goes_on_wherever_it_is_opened_again(shared: Cluster) -> None:
    await shared.script({"chunks": WORDS, "delay_ms": 10})
    async with wandering(shared, new()) as client:
        await client.connect()
        start = await client.send("attempt_start", practice_id=practice("one"))
        tail = Tail(f"attempt_{start['chat_id']}")
        said = await client.send(
            "attempt_message", attempt_id=start["attempt_id"], chat_id=start["chat_id"], message="Count."
        )
        for n in range(8):
            await client.until("attempt_progress", count=n + 1)  # a busy server joins words
            await client.drop()
            await client.resume()
            assert client.seen_last("connection_confirmed")["recovered"] is True
        await client.until("attempt_assistant_complete")
        tail.take(client)
        assert tail.text(said["assistant_message_id"]) == "".join(WORDS)


async def test_a_session_outlives_the_process_that_it_lived_in(mortal: Cluster) -> None:
    await mortal.script({"chunks": WORDS, "delay_ms": 10})
    learner = new()
    async with mortal.each(learner) as (_, second), wandering(mortal, learner) as client:
        start = await second.send("attempt_start", practice_id=practice("one"))
        await at_home_in(mortal, "first", client)
        joined = await client.send("attempt_join", chat_id=start["chat_id"])
        said = await second.send(
            "attempt_message", attempt_id=start["attempt_id"], chat_id=start["chat_id"], message="Count."
        )
        await client.until("attempt_progress", count=20)
        await mortal.kill("first")
        await client.ended()
        await client.resume()
        assert client.seen_last("connection_confirmed")["recovered"] is True
        await client.until("attempt_assistant_complete")
        tail = Tail(f"attempt_{start['chat_id']}", last=joined["offset"])
        tail.take(client)
        assert tail.text(said["assistant_message_id"]) == "".join(WORDS)
        assert (await client.send("attempt_leave", chat_id=start["chat_id"]))["success"]


async def test_requests_at_once_to_all_processes_keep_one_session(shared: Cluster) -> None:
    async with wandering(shared, new()) as client:
        await client.connect()
        starts = await asyncio.gather(
            *(client.send("attempt_start", practice_id=practice("one")) for _ in range(8))
        )
        for start in starts:
            await client.until("attempt_chat_started", chat_id=start["chat_id"])
        session = await shared.store.sessions.find(client.headers["X-Session-Id"])
        assert session is not None
        rooms = {room.room for room in session.rooms if room.ended is None}
        assert {f"attempt_{start['chat_id']}" for start in starts} <= rooms


async def at_home_in(cluster: Cluster, name: str, client: Http) -> None:
    """Connect until the session lives in a server."""
    while True:
        await client.connect()
        session = await cluster.store.sessions.find(client.headers["X-Session-Id"])
        assert session is not None
        if session.process.startswith(name):
            return
        await client.drop()
