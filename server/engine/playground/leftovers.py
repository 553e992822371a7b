"""Removes what deleted pipelines leave behind, wherever a process died on the way."""

import time
from collections.abc import Callable

from schemas.envelope import Id
from server.store import Store

LATE_SECONDS = 600.0  # in which something that was on its way into a pipeline can still arrive


class Leftovers:
    """Removes documents, chunks and files; removing again what another process removes is harmless.

    The mark of a deleted pipeline goes only after this process has looked twice, long apart: until then
    everybody who keeps something of pipelines finds what to remove by it.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._first_seen: dict[Id, float] = {}

    async def sweep(self) -> None:
        """Remove what there is; raises Unavailable."""
        deleted = await self._store.pipelines.deleted()
        self._first_seen = {key: at for key, at in self._first_seen.items() if key in set(deleted)}
        for pipeline_id in deleted:
            first = self._first_seen.get(pipeline_id)
            if first is None:
                await self._remove(pipeline_id)
                self._first_seen[pipeline_id] = self._clock()
            elif self._clock() - first > LATE_SECONDS:
                await self._remove(pipeline_id)
                await self._store.pipelines.drop_mark(pipeline_id)
        await self._store.pipeline_files.drop_loose()

    async def _remove(self, pipeline_id: Id) -> None:
        while await self._store.pipeline_documents.drop_some(pipeline_id):
            pass
        while await self._store.chunks.drop_some(pipeline_id):
            pass
        await self._store.indexing.drop(pipeline_id)
