"""Keeps indexes of pipelines in memory and in step with MongoDB, where the truth is."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from itertools import islice

import structlog

from schemas.envelope import Id
from schemas.pipeline import Pipeline
from server.engine.playground.retrieval.described import Described
from server.engine.playground.retrieval.index import Contents, Index
from server.engine.playground.retrieval.memory import give_back
from server.engine.playground.retrieval.shelf import Shelves
from server.store import Store

log = structlog.get_logger(__name__)
LOT = 1_000  # chunks that are read at once, about
FIRST_DOCUMENTS = 16
MOST_DOCUMENTS = 500
SLOW_SECONDS = 5.0  # chunks that no longer count stay for 15 s
ROUNDS = 5
IDLE_SECONDS = 900.0
LOOK_SECONDS = 60.0
DESCRIBED_SHARE = 1 / 16  # of the memory, for what is known of one pipeline's documents


class _Held:
    """What a pipeline held after so many changes, and the syncs that go on and come next.

    `index` makes the next contents; there is none while it is being changed, or after that has failed.
    """

    def __init__(self, described: Described) -> None:
        self.described = described
        self.contents: Contents | None = None
        self.changes = -1
        self.index: Index | None = None
        self.used = time.monotonic()
        self.current: asyncio.Task[Contents] | None = None
        self.coming: asyncio.Task[Contents] | None = None

    @property
    def size(self) -> int:
        """Return about how many bytes it takes."""
        return self.described.size + (self.contents.size if self.contents else 0)


class Indexes:
    """What this process has in memory of pipelines, up to about `limit` bytes: the latest used ones.

    One that is used stays, however large it is. Queries share syncs: one at a time goes on for a pipeline.
    """

    def __init__(self, store: Store, *, embedder: str, limit: int, shelves: Shelves) -> None:
        """`shelves` are released with the indexes."""
        self._store = store
        self._shelves = shelves
        self._embedder = embedder
        self._limit = limit
        self._held: OrderedDict[Id, _Held] = OrderedDict()
        self.syncs = 0  # that have read something anew

    @property
    def size(self) -> int:
        """Return about how many bytes all indexes take."""
        return sum(held.size for held in self._held.values())

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, pipeline_id: Id) -> bool:
        return pipeline_id in self._held

    async def contents(self, pipeline: Pipeline) -> Contents:
        """Return what is searched of a pipeline, not older than the pipeline as it was read.

        Cancelling is safe: a sync that has begun goes on. Raises Unavailable.
        """
        held = self._used(pipeline.id)
        if held.contents is not None and held.changes == pipeline.changes:
            return held.contents
        if held.coming is None:
            held.coming = asyncio.create_task(
                self._turn(held, pipeline.id, held.current), name=f"index {pipeline.id}"
            )
        return await asyncio.shield(held.coming)

    def described(self, pipeline_id: Id) -> Described:
        """Return what is known of the documents of a pipeline."""
        return self._used(pipeline_id).described

    async def run(self) -> None:
        """Give memory back that is no longer used, until it is cancelled."""
        seen = (0, 0)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.release(idle=IDLE_SECONDS)
            if seen != (seen := (self.syncs, len(self))):
                await asyncio.to_thread(give_back)

    def release(self, *, idle: float) -> None:
        """Forget indexes, and shelves, that have not been used for some seconds."""
        self._shelves.release(idle=idle)
        now = time.monotonic()
        for pipeline_id, held in list(self._held.items()):
            if now - held.used >= idle and not _is_busy(held):
                del self._held[pipeline_id]

    async def aclose(self) -> None:
        """End what goes on and forget everything."""
        tasks = [task for held in self._held.values() for task in (held.current, held.coming) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._held.clear()

    def _used(self, pipeline_id: Id) -> _Held:
        held = self._held.get(pipeline_id)
        if held is None:
            described = Described(self._store, limit=int(self._limit * DESCRIBED_SHARE))
            held = self._held[pipeline_id] = _Held(described)
        self._held.move_to_end(pipeline_id)
        held.used = time.monotonic()
        return held

    async def _turn(self, held: _Held, pipeline_id: Id, before: asyncio.Task[Contents] | None) -> Contents:
        """Sync once what goes on has ended: whoever asks from then on waits for the next."""
        if before is not None:
            await asyncio.wait([before])
        held.current, held.coming = held.coming, None
        try:
            return await self._sync(held, pipeline_id)
        finally:
            held.current = None
            self._evict(but=pipeline_id)

    async def _sync(self, held: _Held, pipeline_id: Id) -> Contents:
        """Read what has changed; what is removed while this goes on is read again, if that may be gone."""
        for _ in range(ROUNDS):
            began = time.monotonic()
            changes, live = await self._store.chunks.live(pipeline_id)
            contents = await self._follow(held, live)
            held.contents, held.changes = contents, changes
            if time.monotonic() - began < SLOW_SECONDS:
                break
        return contents

    async def _follow(self, held: _Held, live: Mapping[Id, int]) -> Contents:
        """Return what is live, made by the index that is there, or by another when that is worn."""
        index = held.index
        if index is None:
            index = await asyncio.to_thread(Index, self._embedder)
        gone, fresh = await asyncio.to_thread(_difference, index.contents, live)
        if gone and index.is_worn(gone):
            index, gone, fresh = await asyncio.to_thread(Index, self._embedder), set(), dict(live)
        if gone or fresh:
            held.index = None
            await self._apply(index, gone, fresh)
        held.index = index
        return index.contents

    async def _apply(self, index: Index, gone: Collection[Id], fresh: Mapping[Id, int]) -> None:
        began = time.monotonic()
        self.syncs += 1
        await asyncio.to_thread(index.drop, gone)
        waiting, step = iter(fresh.items()), FIRST_DOCUMENTS
        while lot := dict(islice(waiting, step)):
            chunks = await self._store.chunks.of_documents(lot)
            await asyncio.to_thread(index.add, lot, chunks)
            step = max(1, min(MOST_DOCUMENTS, len(lot) * LOT // max(1, len(chunks))))
        contents = await asyncio.to_thread(index.commit)
        seconds = round(time.monotonic() - began, 3)
        log.info("index follows", chunks=len(contents.numbers), added=len(fresh), gone=len(gone), s=seconds)

    def _evict(self, *, but: Id) -> None:
        """Forget the least recently used indexes until the rest fits."""
        for pipeline_id, held in list(self._held.items()):
            if self.size <= self._limit:
                break
            if pipeline_id != but and not _is_busy(held):
                del self._held[pipeline_id]


def _difference(contents: Contents, live: Mapping[Id, int]) -> tuple[set[Id], dict[Id, int]]:
    """Return the documents that are no longer as they were, and those that are to be read."""
    held = contents.documents
    gone = {key for key, place in held.items() if live.get(key) != place.revision}
    fresh = {key: revision for key, revision in live.items() if key in gone or key not in held}
    return gone, fresh


def _is_busy(held: _Held) -> bool:
    return held.current is not None or held.coming is not None
