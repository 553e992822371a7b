"""Following a room on a real mongod: no hole and no duplicate, from every place and at every speed."""

import asyncio

import orjson
import pytest

from server.engine.ids import new
from server.rooms.folds import FOLDS
from server.rooms.room import RING_ENTRIES
from server.store import Store, connect
from tests.conformance.nodes import MARKER, Client, Node, Nodes, check_followed, check_log, running, whole
from tests.rooms.test_folds import followed_chat
from tests.support.databases import databases


async def publish(nodes: Nodes, room: str, count: int) -> None:
    """Publish entries from every node at once, and let every node hear of them."""

    async def one(node: Node, share: int) -> None:
        async with asyncio.timeout(60):
            await asyncio.gather(*[node.publish(room, f"{n} {'x' * 200}") for n in range(share)])

    shares = [count // len(nodes) + (n < count % len(nodes)) for n in range(len(nodes))]
    await asyncio.gather(*[one(node, share) for node, share in zip(nodes, shares, strict=True)])
    for node in nodes:
        node.catch_up()


async def test_followers_of_every_speed_get_every_entry(nodes: Nodes, store: Store, room: str) -> None:
    speeds = [None, 200_000, 30_000, None]
    clients = [Client(nodes[n % len(nodes)], greedy=speed) for n, speed in enumerate(speeds)]
    for client in clients:
        await client.join(room, after=0)
    for _ in range(6):
        await publish(nodes, room, 500)
    for client in clients:
        await client.until(room, 3000)
        check_followed(client, room, after=0, upto=3000)
        await client.close()
    check_log(await whole(store, room))


@pytest.mark.parametrize("head", [0, 40, RING_ENTRIES + 100])
async def test_joining_in_mid_stream_works_from_every_offset(nodes: Nodes, room: str, head: int) -> None:
    await publish(nodes, room, head)
    offsets = sorted({*range(0, head + 1, max(1, head // 30)), head})
    streaming = asyncio.create_task(publish(nodes, room, 100))
    clients = [Client(nodes[n % len(nodes)], greedy=50_000 if n % 3 else None) for n in range(len(offsets))]
    places = []
    for client, after in zip(clients, offsets, strict=True):
        places.append(await client.join(room, after=after, marked=True))
        await asyncio.sleep(0)
    await streaming
    for node in nodes:
        node.catch_up()
    for client, after, place in zip(clients, offsets, places, strict=True):
        await client.until(room, head + 100)
        check_followed(client, room, after=after, upto=head + 100)
        assert (place.recovered, place.cursor, place.offset >= head or len(nodes) > 1) == (True, after, True)
        assert client.answers == [(MARKER.event, max(0, place.offset - after))]
        await client.close()


@pytest.mark.parametrize(("after", "epoch"), [(None, None), (11, None), (3, "another"), (-1, None)])
async def test_who_cannot_be_recovered_gets_a_snapshot(
    node: Node, room: str, after: int | None, epoch: str | None
) -> None:
    await publish([node], room, 10)
    client = Client(node)
    place = await client.join(room, after=after, epoch=epoch, marked=True)
    assert (place.recovered, place.offset, place.cursor, place.epoch) == (False, 10, 10, node.hub.epoch)
    assert place.snapshot is not None
    await publish([node], room, 5)
    await client.until(room, 15)
    check_followed(client, room, after=10, upto=15)
    assert client.answers == [(MARKER.event, 0)]
    await client.close()


async def test_joining_again_changes_nothing(node: Node, room: str) -> None:
    client = Client(node)
    await publish([node], room, 5)
    await client.join(room, after=2, marked=True)
    again = await client.join(room, after=0, marked=True)
    assert (again.recovered, again.offset) == (True, 5)
    await client.until(room, 5)
    check_followed(client, room, after=2, upto=5)
    assert client.answers == [(MARKER.event, 3)]
    await client.close()


async def test_a_snapshot_and_what_follows_are_everything(nodes: Nodes, store: Store, room: str) -> None:
    async def talk() -> None:
        at = "2026-01-02T03:04:05.000Z"
        for turn in range(10):
            ids = [f"{who}{turn}" for who in "ua"]
            events: list[tuple[str, dict[str, str]]] = [
                ("attempt_user_start", {"message_id": ids[0], "created_at": at}),
                ("attempt_user_complete", {"message_id": ids[0], "content": "hi", "created_at": at}),
                (
                    "attempt_assistant_start",
                    {"message_id": ids[1], "created_at": at, "parent_message_id": ids[0]},
                ),
                *(
                    ("attempt_progress", {"message_id": ids[1], "content_type": "delta", "content": f"{n} "})
                    for n in range(20)
                ),
                ("attempt_assistant_complete", {"message_id": ids[1], "content": "done"}),
            ]
            for n, (name, data) in enumerate(events):
                node = nodes[(turn + n // 5) % len(nodes)]
                await node.log.publish(room, name, orjson.dumps(data))

    talking = asyncio.create_task(talk())
    clients: list[tuple[Client, int, dict[str, object]]] = []
    while not talking.done():
        client = Client(nodes[len(clients) % len(nodes)])
        place = await client.join(room)
        assert place.snapshot is not None
        clients.append((client, place.offset, place.snapshot))
        await client.until_something_or(talking)
    await talking
    rows = await whole(store, room)
    check_log(rows)
    for node in nodes:
        node.catch_up()
    fold = FOLDS["attempt"]
    all_of_it = fold.initial()
    for row in rows:
        fold.step(all_of_it, row.name, orjson.loads(row.j))
    assert len({offset for _, offset, _ in clients}) > 10
    for client, offset, snapshot in clients:
        if offset < len(rows):
            await client.until(room, len(rows))
        check_followed(client, room, after=offset, upto=len(rows))
        state = followed_chat(snapshot)
        for entry in client.got:
            fold.step(state, entry.name, orjson.loads(entry.data))
        assert fold.show(state) == fold.show(all_of_it)
        await client.close()


async def test_a_room_that_was_unloaded_goes_on(node: Node, store: Store, room: str) -> None:
    first = Client(node)
    await publish([node], room, 600)
    snapshot = (await first.join(room)).snapshot
    await first.close()
    await node.hub.unload(await node.room(room))
    assert node.hub.loaded_room(room) is None
    assert (await store.entries.checkpoint(room, epoch=node.hub.epoch) or (0,))[0] == 600
    await publish([node], room, 10)
    second = Client(node)
    place = await second.join(room)
    assert place.offset == 610
    assert snapshot is not None
    await publish([node], room, 5)
    await second.until(room, 615)
    check_followed(second, room, after=610, upto=615)
    await second.close()


async def test_a_room_is_not_unloaded_under_who_comes_back(node: Node, room: str) -> None:
    await publish([node], room, 10)
    loaded = await node.room(room)
    await node.snapshots.take(loaded)
    unloading = asyncio.create_task(node.hub.unload(loaded))
    await asyncio.sleep(0)
    client = Client(node)
    await client.join(room, after=0)
    await unloading
    assert node.hub.loaded_room(room) is loaded
    await publish([node], room, 5)
    await client.until(room, 15)
    check_followed(client, room, after=0, upto=15)
    await client.close()


async def test_a_room_in_use_stays_loaded(node: Node, room: str) -> None:
    client = Client(node)
    await client.join(room, after=0)
    await node.hub.unload(await node.room(room))
    assert node.hub.loaded_room(room) is not None
    await client.close()


async def test_a_room_heard_of_while_it_loads_misses_nothing(pair: Nodes, room: str) -> None:
    for _ in range(5):
        await publish(pair, room, 20)
        for node in pair:
            await node.hub.unload(await node.room(room))
        streaming = asyncio.create_task(publish(pair, room, 20))
        clients = [Client(node) for node in pair]
        places = [await client.join(room, after=0) for client in clients]
        await streaming
        assert all(place.recovered for place in places)
        rows = await whole(pair[0].store, room)
        for node, client in zip(pair, clients, strict=True):
            node.catch_up()
            await client.until(room, len(rows))
            check_followed(client, room, after=0, upto=len(rows))
            await client.close()


async def test_leaving_and_joining_again_while_a_page_is_read_leaves_no_hole(node: Node, room: str) -> None:
    await publish([node], room, 400)
    await node.hub.unload(await node.room(room))  # its ring is empty now
    for pause in range(30):
        client = Client(node)
        await client.join(room, after=350)
        for _ in range(pause):
            await asyncio.sleep(0)
        await client.connection.leave(room)
        client.got.clear()
        await client.join(room, after=5)
        await client.until(room, 400)
        check_followed(client, room, after=5, upto=400)
        await client.close()


async def test_who_is_gone_follows_nothing(node: Node, room: str) -> None:
    client = Client(node)
    joined = await client.connection.join(room, after=0, epoch=None, marker=None)
    await client.close()
    joined.start()
    await client.connection.enter(f"attempt_{new()}")
    assert not (await node.room(room)).live
    assert client.connection.follower.cursors == {}


async def test_a_place_that_is_no_longer_kept_needs_a_snapshot(node: Node, store: Store, room: str) -> None:
    await publish([node], room, 50)
    await node.snapshots.store(await node.room(room))
    await node.hub.unload(await node.room(room))
    await store.entries.trim(room, upto=20, floor=0)
    client = Client(node)
    assert (await client.join(room, after=20)).recovered
    await client.until(room, 50)
    check_followed(client, room, after=20, upto=50)
    await client.close()
    late = Client(node)
    assert not (await late.join(room, after=19)).recovered
    await late.close()


async def test_a_follower_whose_place_goes_away_is_cut(node: Node, store: Store, room: str) -> None:
    await publish([node], room, 50)
    await node.hub.unload(await node.room(room))
    client = Client(node)
    client.size = 1_000_000  # it does not read yet
    await client.join(room, after=0)
    await store.entries.trim(room, upto=20, floor=0)
    client.size = 0
    client.read.set()
    await client.until_cut()
    assert (client.got, client.reasons) == ([], ["place is gone"])
    await client.close()


async def test_another_epoch_cuts_every_follower_and_forgets_every_number(prepared: str, room: str) -> None:
    store = connect(prepared, databases.name(prepared))
    await store.prepare()
    async with running(store, count=2) as nodes:
        await publish(nodes, room, 30)
        live, behind = Client(nodes[0]), Client(nodes[1])
        await live.join(room, after=0)
        await live.until(room, 30)
        behind.size = 1_000_000
        await behind.join(room, after=0)
        old = nodes[0].hub.epoch
        await store.database.entries.delete_many({"_id.n": {"$gt": 10}})  # a restored backup
        await nodes[0].hub.check_log()
        await nodes[1].process.beat()
        epoch = nodes[0].hub.epoch
        assert nodes[1].hub.epoch == epoch != old
        await asyncio.gather(live.until_cut(), behind.until_cut())
        again = Client(nodes[0])
        place = await again.join(room, after=30, epoch=old)
        assert (place.recovered, place.offset, place.epoch) == (False, 10, epoch)
        await publish(nodes, room, 4)
        await again.until(room, 14)
        check_followed(again, room, after=10, upto=14)
        check_log(await whole(store, room))
        for client in (live, behind, again):
            await client.close()
    await store.database.client.drop_database(store.database.name)
    store.close()


async def test_a_checkpoint_of_who_has_heard_more_hides_nothing(pair: Nodes, store: Store, room: str) -> None:
    deaf, other = pair
    await publish([other], room, 5)
    early = Client(deaf)
    await early.join(room, after=0)
    await early.until(room, 5)
    await publish([other], room, 5)
    await other.snapshots.take(await other.room(room))
    await other.hub.unload(await other.room(room))
    client = Client(deaf)
    place = await client.join(room)
    assert place.offset <= (await deaf.room(room)).head
    deaf.catch_up()
    await client.until(room, 10)
    check_followed(client, room, after=place.offset, upto=10)
    for one in (early, client):
        await one.close()
