"""Recordings in GridFS: stored once, whatever came before."""

from contextlib import closing

from server.store import Store
from server.store.database import connect
from tests.support.databases import databases

SOUND = bytes(range(256)) * 2_000  # two chunks


async def stored(store: Store, data: bytes) -> bytes:
    """Store a file, and return what is there then."""
    await store.sounds.put("a", data, kind="message", of="chat", org="default")
    return b"".join([part async for part in store.sounds.read("a")])


async def test_what_is_stored_again_stays_as_it_was(mongod_url: str) -> None:
    with closing(connect(mongod_url, databases.name(mongod_url))) as store:
        await store.prepare()
        assert await stored(store, SOUND) == SOUND
        assert await stored(store, SOUND[1:]) == SOUND


async def test_parts_of_a_try_that_was_cut_off_are_replaced(mongod_url: str) -> None:
    with closing(connect(mongod_url, databases.name(mongod_url))) as store:
        await store.prepare()
        await store.database["sounds.chunks"].insert_one({"files_id": "a", "n": 1, "data": b"half"})
        assert await stored(store, SOUND) == SOUND
