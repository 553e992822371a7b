"""Retention: rooms forget old entries, and nobody who follows is left with a hole."""

from collections.abc import AsyncIterator

import pytest_asyncio

from server.rooms import retention
from server.transports import keys
from tests.conftest import Cast
from tests.support.clients import Socket
from tests.support.running import Server, load_pack, practice, running, settings_for


@pytest_asyncio.fixture
async def server(mongod_url: str, model: tuple[object, str]) -> AsyncIterator[Server]:
    """Run a server that forgets the rooms of ended chats at once."""
    settings = settings_for(mongod_url, model[1], retention_days=1e-9)
    async with running(settings) as (url, app):
        await load_pack(app)
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))  # type: ignore[arg-type]


async def finish_chat(learner: Socket) -> str:
    """Practise once and return the chat, ended and graded."""
    ack = await learner.send("attempt_start", practice_id=practice("one"))
    ids = {"attempt_id": ack["attempt_id"], "chat_id": ack["chat_id"]}
    await learner.send("attempt_message", message="What is it about?", **ids)
    await learner.until("attempt_assistant_complete", chat_id=ids["chat_id"])
    await learner.send("attempt_end", **ids)
    await learner.until("attempt_ended", attempt_id=ids["attempt_id"])
    return str(ids["chat_id"])


async def test_an_ended_room_is_trimmed_behind_its_snapshot(server: Server, cast: Cast) -> None:
    learner = await cast.learner()
    chat_id = await finish_chat(learner)
    room = f"attempt_{chat_id}"
    before = await learner.send("attempt_join", chat_id=chat_id)
    store = server.app[keys.STORE].entries
    while room not in await store.closed_rooms(1e-9):
        pass
    await server.app[keys.RETENTION].sweep()
    assert await store.page(room, after=0) == []
    assert await store.floor(room) == before["offset"]
    assert await store.top(room) == before["offset"]
    late = await cast.learner()
    resumed = await late.send("attempt_join", chat_id=chat_id, after=1)
    assert resumed["recovered"] is False
    assert resumed["offset"] == before["offset"]
    assert resumed["snapshot"]["messages"] == before["snapshot"]["messages"]
    assert resumed["snapshot"]["grades"] == before["snapshot"]["grades"]
    graded = await learner.send("attempt_grade", attempt_id=before["snapshot"]["chat"]["attempt_id"])
    done = await late.until("attempt_graded", grade_id=graded["grade_ids"][0])
    assert done["offset"] > before["offset"]


async def test_an_endless_room_keeps_its_newest_entries(server: Server, cast: Cast) -> None:
    hub = server.app[keys.HUB]
    room = f"profile_{cast.learner_id}"
    count = retention.KEEP_ENTRIES + retention.SLACK + 1
    for start in range(0, count, 1000):
        batch = [hub.log.publish(room, "tick", b"{}") for _ in range(start, min(start + 1000, count))]
        assert await batch[-1] == min(start + 1000, count)
    await server.app[keys.RETENTION].sweep()
    store = server.app[keys.STORE].entries
    assert await store.floor(room) == count - retention.KEEP_ENTRIES
    first = await store.page(room, after=0, limit=1)
    assert first[0].n == count - retention.KEEP_ENTRIES + 1
    learner = await cast.learner()
    joined = await learner.send("room_join", room=room, after=1)
    assert joined["success"]
