"""What is done in one process and seen, stopped, repeated or gone on with in the other."""

import asyncio
import time
from typing import Any

from server.engine.ids import new
from tests.scaled.cluster import Cluster
from tests.support.clients import Socket, socket
from tests.support.running import practice
from tests.support.tail import Tail

STOPPED_WITHIN = 12.0  # on a machine that stalls; the reply takes 20 s
WORDS = [f"{n} " for n in range(2000)]


async def count(cluster: Cluster, client: Socket) -> tuple[dict[str, str], str]:
    """Start a reply that takes long; return whose it is, and its id."""
    await cluster.script({"chunks": WORDS, "delay_ms": 10})
    start = await client.send("attempt_start", practice_id=practice("one"))
    ids = {"attempt_id": start["attempt_id"], "chat_id": start["chat_id"]}
    said = await client.send("attempt_message", **ids, message="Count.")
    return ids, said["assistant_message_id"]


async def test_both_processes_see_the_same_entries(shared: Cluster) -> None:
    async with shared.each(new()) as (first, second):
        ids, message_id = await count(shared, first)
        room = f"attempt_{ids['chat_id']}"
        joined = await second.send("attempt_join", chat_id=ids["chat_id"])
        await second.until("attempt_progress", count=50)
        await second.send("attempt_stop", **ids)
        for client in (first, second):
            await client.until("attempt_assistant_complete", message_id=message_id)
        here, there = Tail(room), Tail(room, last=joined["offset"])
        here.take(first)
        there.take(second)
        assert here.entries[-len(there.entries) :] == there.entries
        assert here.named("attempt_assistant_complete")[0]["content"] == here.text(message_id)


async def test_a_stop_in_the_other_process_stops_the_stream_of_the_model(shared: Cluster) -> None:
    async with shared.each(new()) as (first, second):
        ids, message_id = await count(shared, first)
        await first.until("attempt_progress", count=5)
        began = time.monotonic()
        await second.send("attempt_stop", **ids)
        await first.until("attempt_stopped")
        assert time.monotonic() - began < STOPPED_WITHIN
        done = await first.until("attempt_assistant_complete", message_id=message_id)
        assert done["state"] == "stopped"
        assert len(first.named("attempt_progress")) < len(WORDS)


async def test_the_same_event_at_once_in_both_processes_acts_once(shared: Cluster) -> None:
    await shared.script({"chunks": ["Well."]})
    async with shared.each(new()) as clients:
        for _ in range(10):
            event: dict[str, Any] = {"practice_id": practice("one"), "client_event_id": new()}
            acks = await asyncio.gather(*(client.send("attempt_start", **event) for client in clients))
            assert acks[0]["attempt_id"] == acks[1]["attempt_id"]
            said = {
                "attempt_id": acks[0]["attempt_id"],
                "chat_id": acks[0]["chat_id"],
                "message": "Hello.",
                "client_event_id": new(),
            }
            answers = await asyncio.gather(*(client.send("attempt_message", **said) for client in clients))
            assert answers[0]["message_id"] == answers[1]["message_id"]
            chat = await shared.store.chats.get(acks[0]["chat_id"])
            assert chat is not None
            assert [m.content for m in chat.messages if m.role == "user"] == ["Hello."]


async def test_a_client_resumes_in_the_other_process_without_a_gap(shared: Cluster) -> None:
    learner = new()
    async with shared.each(learner) as (first, second):
        ids, message_id = await count(shared, first)
        tail = Tail(f"attempt_{ids['chat_id']}")
        await first.until("attempt_progress", count=20)
        await first.send("attempt_leave", chat_id=ids["chat_id"])
        tail.take(first)
        epoch = first.seen_last("connection_confirmed")["epoch"]
        joined = await second.send("attempt_join", chat_id=ids["chat_id"], after=tail.last, epoch=epoch)
        assert joined["recovered"] is True
        await second.until("attempt_progress", count=20)
        await second.send("attempt_stop", **ids)
        await second.until("attempt_assistant_complete", message_id=message_id)
        tail.take(second)
        assert tail.named("attempt_assistant_complete")[0]["content"] == tail.text(message_id)


async def test_a_reply_whose_process_is_killed_is_closed_by_the_other(mortal: Cluster) -> None:
    async with mortal.each(new()) as (first, second):
        ids, message_id = await count(mortal, first)
        await second.send("attempt_join", chat_id=ids["chat_id"])
        await second.until("attempt_progress", count=20)
        await mortal.kill("first")
        done = await second.until("attempt_assistant_complete", message_id=message_id)
        assert done["state"] == "interrupted"
        assert done["content"].startswith("0 1 2 ")


async def test_a_server_that_is_stopped_lets_the_others_go_on(mortal: Cluster) -> None:
    learner = new()
    async with mortal.each(learner) as (_, second):
        await mortal.stop("first")
        for _ in range(10):
            async with socket(mortal.url, {"token": mortal.token(learner)}) as client:
                assert mortal.server_of(client) == "second"
        ids, message_id = await count(mortal, second)
        await second.until("attempt_progress", count=5)
        await mortal.start()
        async with mortal.each(learner) as (again, _):
            await again.send("attempt_stop", **ids)
        done = await second.until("attempt_assistant_complete", message_id=message_id)
        assert done["state"] == "stopped"
