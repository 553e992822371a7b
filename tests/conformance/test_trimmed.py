"""Rooms whose oldest entries were forgotten by another process: each process still shows and follows them."""

import asyncio

import orjson
import pytest

from server.errors import Internal
from server.rooms.snapshot import CHECKPOINT_ENTRIES
from server.store import Store
from tests.conformance.nodes import Client, Node, Nodes, check_followed
from tests.conformance.test_following import publish


async def folded_early(pair: Nodes, room: str) -> tuple[Node, Node]:
    """Let the second process fold the first ten entries of a room that then grows to fifty."""
    writer, other = pair
    await publish([writer], room, 10)
    assert (await other.snapshots.take(await other.hub.settle_head(room)))[0] == 10
    await publish([writer], room, 40)
    return writer, other


async def forget(node: Node, room: str, *, upto: int) -> None:
    """Forget a room's entries up to a number, as retention does."""
    await node.snapshots.store(await node.hub.settle_head(room))
    await node.store.entries.trim(room, upto=upto, floor=0)


async def goes_on(node: Node, writer: Node, room: str, *, head: int = 50) -> None:
    """Raise unless somebody who joins sees the room up to its head, and then what follows."""
    client = Client(node)
    async with asyncio.timeout(30):
        place = await client.join(room)
    assert (place.recovered, place.offset) == (False, head)
    assert place.snapshot is not None
    await publish([writer], room, 5)
    node.catch_up()
    await client.until(room, head + 5)
    check_followed(client, room, after=head, upto=head + 5)
    await client.close()


@pytest.mark.parametrize("upto", [30, 50])
async def test_a_fold_behind_the_floor_goes_on_from_the_stored_one(pair: Nodes, room: str, upto: int) -> None:
    writer, other = await folded_early(pair, room)
    await other.hub.settle_head(room)
    await forget(writer, room, upto=upto)
    await goes_on(other, writer, room)


@pytest.mark.parametrize("upto", [30, 50])
async def test_a_fold_behind_the_floor_goes_on_when_the_room_was_not_heard_either(
    pair: Nodes, room: str, upto: int
) -> None:
    writer, other = await folded_early(pair, room)
    await forget(writer, room, upto=upto)
    assert (await other.hub.settle_head(room)).head == 50
    await goes_on(other, writer, room)


@pytest.mark.parametrize("heard", [30, 50])
async def test_a_room_whose_stored_fold_is_past_what_was_heard_is_read_up(
    pair: Nodes, room: str, heard: int
) -> None:
    writer, other = pair
    await publish([writer], room, heard)
    assert (await other.room(room)).head == heard
    await publish([writer], room, 50 - heard)
    await forget(writer, room, upto=30)
    await goes_on(other, writer, room)


async def test_reading_up_ends_at_a_room_whose_next_entries_are_gone(
    pair: Nodes, store: Store, room: str
) -> None:
    writer, other = pair
    follower = Client(other)
    await publish([writer], room, 10)
    await follower.join(room, after=0)
    await follower.until(room, 10)
    await publish([writer], room, 700)  # more than one page
    await forget(writer, room, upto=30)
    async with asyncio.timeout(30):
        assert (await other.hub.settle_head(room)).head == 710
    await follower.until_cut()
    assert follower.reasons == ["place is gone"]
    await follower.close()


async def test_a_room_without_a_stored_fold_past_the_gap_is_refused(
    node: Node, store: Store, room: str
) -> None:
    await publish([node], room, 10)
    await store.entries.trim(room, upto=5, floor=0)
    with pytest.raises(Internal, match="beginning of this room is gone"):
        await Client(node).join(room)


async def test_a_fold_too_large_to_be_stored_is_shown(node: Node, store: Store, room: str) -> None:
    long = "x" * 40_000
    for start in range(0, CHECKPOINT_ENTRIES, 100):
        messages = [
            {"message_id": f"m{n}", "content": long, "created_at": "2026-01-02T03:04:05.000Z"}
            for n in range(start, start + 100)
        ]
        await asyncio.gather(
            *[node.log.publish(room, "attempt_user_complete", orjson.dumps(m)) for m in messages]
        )
    client = Client(node)
    place = await client.join(room)
    assert place.offset == CHECKPOINT_ENTRIES
    assert place.snapshot is not None
    assert place.snapshot["messages"][-1]["id"] == f"m{CHECKPOINT_ENTRIES - 1}"
    assert await store.entries.checkpoint(room, epoch=node.hub.epoch) is None
    await publish([node], room, 3)
    await client.until(room, CHECKPOINT_ENTRIES + 3)
    check_followed(client, room, after=CHECKPOINT_ENTRIES, upto=CHECKPOINT_ENTRIES + 3)
    await client.close()
