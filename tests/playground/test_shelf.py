"""What documents are called, in memory: made once, anew after changes, and given back."""

import asyncio

from server.engine.playground.retrieval.shelf import Shelves
from server.engine.playground.retrieval.syncing import Indexes
from tests.playground.stacks import Stacks


async def test_shelves_are_made_once_and_given_back_with_indexes(stacks: Stacks) -> None:
    shelves = Shelves(stacks.store)
    indexes = Indexes(stacks.store, embedder="none", limit=1_000_000, shelves=shelves)
    first, second = await stacks.pipeline(), await stacks.pipeline()
    await stacks.put(first, {"Atlas": "Maps."})
    await stacks.settled(first)
    stored = await stacks.store.pipelines.get(first.id)
    assert stored is not None
    made = await asyncio.gather(*(shelves.of(stored) for _ in range(5)), shelves.of(second))
    assert [label.name for label in made[0].labels] == ["Atlas"]
    assert all(shelf is made[0] for shelf in made[:5])
    assert made[5].labels == []
    assert await shelves.of(stored) is made[0]
    indexes.release(idle=60)
    assert len(shelves) == 2
    indexes.release(idle=0)
    assert len(shelves) == 0
    assert await shelves.of(stored) is not made[0]
