"""The log on a real mongod: no holes, each publisher's order, every event once, whatever is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from server.engine.ids import new
from server.errors import Unavailable
from server.rooms.log import MAX_QUEUE_BYTES
from server.store import Store, connect
from tests.conformance.conftest import DATABASE
from tests.conformance.mongo_proxy import MongoProxy, mongo_proxy
from tests.conformance.nodes import Client, Node, Nodes, check_log, running, text_of, whole


@asynccontextmanager
async def _behind(proxy: MongoProxy) -> AsyncIterator[Node]:
    """Run a node whose way to the database leads through a proxy."""
    store = connect(proxy.url, DATABASE)
    try:
        async with running(store, count=1) as nodes:
            yield nodes[0]
    finally:
        await asyncio.to_thread(store.close)  # it says goodbye through the proxy, which runs here


async def published(futures: "list[asyncio.Future[int]]") -> list[int]:
    """Wait for offsets."""
    async with asyncio.timeout(30):
        return await asyncio.gather(*futures)


async def test_concurrent_publishers_leave_no_hole_and_keep_their_order(nodes: Nodes, store: Store) -> None:
    rooms = [f"attempt_{new()}" for _ in range(4)]

    async def publisher(name: int) -> list[tuple[str, str, int]]:
        node, sent = nodes[name % len(nodes)], []
        for n in range(60):
            room, text = rooms[(n * (name + 1)) % 4], f"{name}:{n:03}"
            sent.append((room, text, node.publish(room, text)))
            if n % 7 == name:
                await sent[-1][2]
        offsets = await published([future for _, _, future in sent])
        return [(room, text, offset) for (room, text, _), offset in zip(sent, offsets, strict=True)]

    told = {
        (room, n): text for sent in await asyncio.gather(*map(publisher, range(6))) for room, text, n in sent
    }
    assert len(told) == 6 * 60
    for room in rooms:
        rows = await whole(store, room)
        check_log(rows)
        assert {(room, row.n): text_of(row) for row in rows} == {
            k: v for k, v in told.items() if k[0] == room
        }
        for name in range(6):
            mine = [text_of(row) for row in rows if text_of(row).startswith(f"{name}:")]
            assert all(earlier < later for earlier, later in pairwise(mine))


async def test_an_event_id_is_in_the_log_once(nodes: Nodes, store: Store, room: str) -> None:
    async def publisher(node: Node) -> list[int]:
        futures = []
        for n in range(30):
            futures.append(node.publish(room, f"event {n}", eid=f"event-{n}"))
            futures.append(node.publish(room, f"delta {n}"))
        return (await published(futures))[::2]

    offsets = await asyncio.gather(*[publisher(nodes[n % len(nodes)]) for n in range(3)])
    rows = await whole(store, room)
    check_log(rows)
    assert len(rows) == 30 + 3 * 30
    assert offsets[0] == offsets[1] == offsets[2] == [row.n for row in rows if row.eid]


async def test_an_event_id_may_be_repeated_within_a_batch(node: Node, store: Store, room: str) -> None:
    names = ["a", "b", "a", "c", "b", "d"]
    offsets = await published([node.publish(room, name, eid=name) for name in names])
    rows = await whole(store, room)
    check_log(rows)
    assert [text_of(row) for row in rows] == ["a", "b", "c", "d"]
    assert offsets == [1, 2, 1, 3, 2, 4]


async def test_the_same_event_id_in_two_rooms_is_two_events(node: Node, store: Store) -> None:
    rooms = [f"attempt_{new()}" for _ in range(2)]
    assert await published([node.publish(room, "a", eid="a") for room in rooms]) == [1, 1]


async def test_taken_numbers_are_given_anew_room_by_room(pair: Nodes, store: Store) -> None:
    mine, other = pair
    rooms = [f"attempt_{new()}" for _ in range(3)]
    await published([mine.publish(room, "first") for room in rooms])
    await published([other.publish(room, f"other {n}") for room in rooms[:2] for n in range(3)])
    plan = [rooms[n] for n in (0, 2, 1, 0, 2, 1, 0)]  # one batch; two of its rooms are further than I know
    offsets = await published([mine.publish(room, f"mine {n}") for n, room in enumerate(plan)])
    assert offsets == [5, 2, 5, 6, 3, 6, 7]
    for room in rooms:
        rows = await whole(store, room)
        check_log(rows)
        assert [t for t in map(text_of, rows) if t.startswith("mine")] == [
            f"mine {n}" for n, r in enumerate(plan) if r == room
        ]


async def test_followers_hear_of_entries_between_their_own_processes_entries(pair: Nodes, room: str) -> None:
    client = Client(pair[0])
    await client.join(room, after=0)
    for node in (*pair, pair[0]):
        await published([node.publish(room, str(n)) for n in range(5)])
    await client.until(room, 15)
    assert client.numbers(room) == list(range(1, 16))
    await client.close()


@pytest.mark.parametrize("lost", [1, 2, 5])
@pytest.mark.parametrize("what", ["replies", "requests"])
async def test_an_unknown_outcome_is_known_in_the_end(
    prepared: str, store: Store, room: str, what: str, lost: int
) -> None:
    async with mongo_proxy(prepared) as proxy, _behind(proxy) as node:
        await node.publish(room, "first")
        setattr(proxy, f"lose_{what}", lost)
        futures = [node.publish(room, f"{n}", eid=f"{n}" if n % 3 else None) for n in range(20)]
        other = f"attempt_{new()}"
        futures.append(node.publish(other, "elsewhere"))
        assert await published(futures) == [*range(2, 22), 1]
        rows = await whole(store, room)
    check_log(rows)
    assert [text_of(row) for row in rows] == ["first", *map(str, range(20))]


async def test_what_somebody_else_wrote_meanwhile_is_not_taken_for_ours(
    prepared: str, store: Store, room: str
) -> None:
    async with mongo_proxy(prepared) as proxy, _behind(proxy) as mine, running(store, count=1) as others:
        await mine.publish(room, "first")
        await others[0].publish(room, "theirs")
        proxy.lose_requests = 3
        assert await published([mine.publish(room, "a"), mine.publish(room, "b")]) == [3, 4]
        assert [text_of(row) for row in await whole(store, room)] == ["first", "theirs", "a", "b"]


async def test_the_queue_has_a_limit_and_takes_again_when_it_is_shorter(store: Store, room: str) -> None:
    node = Node(store)
    await node.process.beat()
    text = "x" * 1_000_000
    futures = [node.publish(room, text) for _ in range(8)]
    with pytest.raises(Unavailable):
        node.publish(room, text)
    assert node.log.queue_bytes <= MAX_QUEUE_BYTES
    await node.start()
    assert await published(futures) == list(range(1, 9))
    assert node.log.queue_bytes == 0
    assert await published([node.publish(room, text)]) == [9]
    await node.die()


async def test_a_cancelled_publish_goes_in_all_the_same(node: Node, store: Store, room: str) -> None:
    cancelled = node.publish(room, "cancelled")
    cancelled.cancel()
    assert await published([node.publish(room, "next")]) == [2]
    assert [text_of(row) for row in await whole(store, room)] == ["cancelled", "next"]


async def test_flush_waits_until_nothing_is_queued(node: Node, store: Store, room: str) -> None:
    futures = [node.publish(room, str(n)) for n in range(10)]
    await node.log.flush()
    assert all(future.done() for future in futures)
    await node.log.flush()


async def test_without_a_lease_only_leased_entries_are_refused(store: Store, room: str) -> None:
    node = Node(store)
    futures = [node.publish(room, str(n), leased=n % 2 == 0) for n in range(6)]
    task = asyncio.create_task(node.log.run())  # it has never beaten
    found = await asyncio.gather(*futures, return_exceptions=True)
    assert [f if isinstance(f, int) else type(f) for f in found] == [
        Unavailable,
        1,
        Unavailable,
        2,
        Unavailable,
        3,
    ]
    assert [text_of(row) for row in await whole(store, room)] == ["1", "3", "5"]
    assert node.log.queue_bytes == 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_lease_lost_in_mid_commit_gives_no_new_number(prepared: str, store: Store, room: str) -> None:
    other = f"attempt_{new()}"
    async with mongo_proxy(prepared) as proxy, _behind(proxy) as mine, running(store, count=1) as others:
        await published([mine.publish(room, "first"), mine.publish(other, "first")])
        await others[0].publish(room, "takeover")
        proxy.hold()
        delta = mine.publish(room, "delta", leased=True)
        rest = [mine.publish(room, "plain"), mine.publish(other, "delta elsewhere", leased=True)]
        await proxy.held.wait()
        mine.process._beaten_at = float("-inf")
        proxy.let_go()
        with pytest.raises(Unavailable):
            await delta
        assert await published(rest) == [3, 2]
        assert [text_of(row) for row in await whole(store, room)] == ["first", "takeover", "plain"]
        check_log(await whole(store, other))
