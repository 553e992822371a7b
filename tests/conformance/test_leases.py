"""Heartbeats, the epoch and remembered requests on a real mongod."""

import asyncio

import pytest

from server.engine.ids import new
from server.rooms.process import Process
from server.store import Store, connect
from tests.support.databases import databases


async def test_who_beats_lives_until_it_leaves(store: Store) -> None:
    process = Process(new(), store.processes)
    before = process.alive
    await process.beat()
    assert [before, process.alive] == [False, True]
    assert process.name in await process.living()
    await process.leave()
    assert process.name not in await process.living()


async def test_a_lease_ends_here_before_it_ends_for_others(store: Store) -> None:
    process = Process(new(), store.processes)
    await process.beat()
    process._beaten_at -= 8.1
    assert not process.alive
    assert process.name in await process.living()
    await store.database.processes.update_one(
        {"_id": process.name}, [{"$set": {"until": {"$subtract": ["$$NOW", 1]}}}]
    )
    assert process.name not in await process.living()


async def test_a_new_epoch_is_told_with_the_next_beat(prepared: str) -> None:
    store = connect(prepared, databases.name(prepared))
    made = {await store.processes.make_epoch() for _ in range(3)}
    assert len(made) == 1
    process, changes = Process(new(), store.processes), []
    process.on_epoch(lambda: changes.append(process.epoch))
    await process.beat()
    await process.beat()
    assert changes == []
    old = process.epoch
    both = await asyncio.gather(*[store.processes.change_epoch(old) for _ in range(2)])
    assert len(set(both)) == 1
    await process.beat()
    assert changes == [both[0]] != [old]
    await store.database.client.drop_database(store.database.name)
    store.close()


async def test_a_request_is_claimed_once_and_answered_from_memory(store: Store) -> None:
    who, key = f"profile_{new()}", "click-1"

    async def claim(process: str) -> object:
        return await store.requests.claim(who, key, digest="d", process=process)

    claims = await asyncio.gather(*[claim(f"p{n}") for n in range(8)])
    assert claims.count(None) == 1
    winner = f"p{claims.index(None)}"
    known = await store.requests.claim(who, key, digest="other", process="late")
    assert known is not None
    assert (known.hash, known.state, known.ack, known.process) == ("d", "running", None, winner)
    taken = await asyncio.gather(
        *[store.requests.take_over(who, key, old=winner, process=f"q{n}") for n in range(4)]
    )
    assert sorted(taken) == [False, False, False, True]
    await store.requests.finish(who, key, b'{"success":true}')
    done = await store.requests.claim(who, key, digest="d", process="late")
    assert done is not None
    assert (done.state, done.ack) == ("done", b'{"success":true}')
    assert not await store.requests.take_over(who, key, old=done.process, process="late")
    await store.requests.forget(who, key)
    assert await claim("anew") is None


@pytest.mark.parametrize("other", [("profile_x", "click-1"), ("profile_y", "click-2")])
async def test_requests_of_others_and_other_ids_are_their_own(store: Store, other: tuple[str, str]) -> None:
    run = new()
    assert await store.requests.claim(f"profile_y{run}", "click-1", digest="d", process="p") is None
    assert await store.requests.claim(other[0] + run, other[1], digest="d", process="p") is None
