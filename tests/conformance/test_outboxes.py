"""State and its events on a real mongod: each event is told once, in the order of the changes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from pydantic import BaseModel

from schemas.envelope import Time, utc_now
from schemas.stored import Pending
from server.engine.ids import new
from server.store import Store, connect
from server.store.aggregates import AggregateStore
from tests.conformance.conftest import DATABASE
from tests.conformance.mongo_proxy import mongo_proxy
from tests.conformance.nodes import Node, check_log, text_of, whole


class Thing(BaseModel):
    """An aggregate with nothing but a counter."""

    id: str
    created_at: Time
    count: int = 0


Things = AggregateStore[Thing]


def told(room: str, text: str) -> Pending:
    return Pending(r=room, eid=f"{room}:{text}", name="attempt_progress", j=f'{{"text":"{text}"}}')


@pytest_asyncio.fixture
async def things(store: Store) -> AsyncIterator[Things]:
    """Keep things in a collection that no other test sweeps."""
    name = f"things-{new()}"
    yield AggregateStore(store.database, name, Thing)
    await store.database.drop_collection(name)


@pytest_asyncio.fixture
async def alone(store: Store, things: Things) -> AsyncIterator[Node]:
    """Run a process that clears and sweeps."""
    node = Node(store, things)
    await node.start()
    yield node
    await node.die()


async def stored(things: Things, room: str, *, first: str = "made") -> str:
    """Store a thing with its first event."""
    key = new()
    assert await things.create(Thing(id=key, created_at=utc_now()), [told(room, first)])
    return key


async def change(things: Things, key: str, room: str, text: str) -> list[Pending]:
    """Change a thing and return what is to be published."""
    outbox = await things.change(key, when={}, update={"$inc": {"count": 1}}, outbox=[told(room, text)])
    assert outbox is not None
    return outbox


async def cleared(things: Things, key: str) -> None:
    """Wait until a thing's outbox is empty."""
    async with asyncio.timeout(30):
        while "outbox" in (await things._documents.find_one({"_id": key}) or {}):
            await asyncio.sleep(0)


async def grow_old(things: Things) -> None:
    """Let outboxes look as if they had waited."""
    await things._documents.update_many({}, {"$set": {"outbox_at": utc_now() - timedelta(minutes=1)}})


async def test_what_is_published_is_cleared(alone: Node, store: Store, things: Things, room: str) -> None:
    alone.sweep()
    key = await stored(things, room)
    outbox = await change(things, key, room, "changed")
    assert [p.eid for p in outbox] == [f"{room}:made", f"{room}:changed"]
    assert await asyncio.gather(*alone.outboxes.publish(things.name, key, outbox)) == [1, 2]
    await cleared(things, key)
    assert [text_of(row) for row in await whole(store, room)] == ["made", "changed"]


async def test_who_dies_before_publishing_is_finished_by_another(
    alone: Node, store: Store, things: Things, room: str
) -> None:
    key = await stored(things, room)  # and its process dies here
    await change(things, key, room, "changed")
    await grow_old(things)
    alone.sweep()
    await cleared(things, key)
    rows = await whole(store, room)
    check_log(rows)
    assert [text_of(row) for row in rows] == ["made", "changed"]


async def test_who_dies_before_clearing_tells_nothing_twice(
    alone: Node, store: Store, things: Things, room: str
) -> None:
    dying = Node(store, things)
    await dying.start()
    key = await stored(things, room)
    outbox = await change(things, key, room, "changed")
    await asyncio.gather(*dying.outboxes.publish(things.name, key, outbox))
    await dying.die()
    await alone.publish(room, "meanwhile")
    await grow_old(things)
    alone.sweep()
    await cleared(things, key)
    rows = await whole(store, room)
    check_log(rows)
    assert [text_of(row) for row in rows] == ["made", "changed", "meanwhile"]


async def test_a_fresh_outbox_is_left_to_its_process(things: Things, room: str) -> None:
    key = await stored(things, room)
    await change(things, key, room, "changed")
    assert await things.waiting() == []
    await grow_old(things)
    assert [(k, [text.j for text in outbox]) for k, outbox in await things.waiting()] == [
        (key, ['{"text":"made"}', '{"text":"changed"}'])
    ]


@pytest.mark.parametrize("second_first", [False, True])
async def test_two_changes_are_told_in_their_order(
    store: Store, things: Things, room: str, second_first: bool
) -> None:
    nodes = [Node(store, things) for _ in range(2)]
    for node in nodes:
        await node.start()
        node.sweep()
    key = await stored(things, room)
    outboxes = [await change(things, key, room, text) for text in ("first", "second")]
    for at in (1, 0) if second_first else (0, 1):
        await asyncio.gather(*nodes[at].outboxes.publish(things.name, key, outboxes[at]))
    await cleared(things, key)
    rows = await whole(store, room)
    check_log(rows)
    assert [text_of(row) for row in rows] == ["made", "first", "second"]
    for node in nodes:
        await node.die()


async def test_who_no_longer_waits_takes_nothing_back(
    alone: Node, store: Store, things: Things, room: str
) -> None:
    key = await stored(things, room)
    outbox = await change(things, key, room, "changed")
    waiting = asyncio.gather(*alone.outboxes.publish(things.name, key, outbox))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert alone.outboxes._done == []  # nothing counts as published before it is
    alone.sweep()
    await cleared(things, key)
    assert [text_of(row) for row in await whole(store, room)] == ["made", "changed"]


async def test_a_change_that_does_not_hold_tells_nothing(things: Things, room: str) -> None:
    key = await stored(things, room)
    refused = await things.change(
        key, when={"count": 7}, update={"$inc": {"count": 1}}, outbox=[told(room, "no")]
    )
    assert refused is None
    assert not await things.create(Thing(id=key, created_at=utc_now()), [told(room, "again")])
    await grow_old(things)
    assert [len(outbox) for _, outbox in await things.waiting()] == [1]


@pytest.mark.parametrize("what", ["replies", "requests"])
async def test_a_database_that_stutters_loses_and_repeats_nothing(
    prepared: str, store: Store, things: Things, room: str, what: str
) -> None:
    async with mongo_proxy(prepared) as proxy:
        behind = connect(proxy.url, DATABASE)
        mine: Things = AggregateStore(behind.database, things.name, Thing)
        node = Node(behind, mine)
        await node.start()
        node.sweep()
        key = await stored(mine, room)
        for n in range(10):
            if n == 4:
                setattr(proxy, f"lose_{what}", 3)
            node.outboxes.publish(mine.name, key, await change(mine, key, room, f"{n}"))
        await cleared(things, key)
        await node.die()
        await asyncio.to_thread(behind.close)
    rows = await whole(store, room)
    check_log(rows)
    assert [text_of(row) for row in rows] == ["made", *map(str, range(10))]
