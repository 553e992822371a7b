"""The job of a pipeline: indexes its documents that wait, batch by batch, until none is left."""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from schemas.envelope import Id
from schemas.pipeline import Pipeline
from server.engine.claiming import Claims, Holds
from server.engine.patience import patiently
from server.engine.playground.indexing.batch import Batch, Places, owner_of
from server.engine.playground.indexing.parts import INDEX, Parts
from server.errors import Unavailable, Upstream
from server.store.indexing import IndexClaim, Lost, Waiting

log = structlog.get_logger(__name__)
PARTS = 16  # in which a batch is tried again that has a document in it that is refused
BROKEN = "The document could not be indexed because of a mistake on our side; please report it."


class Indexer:
    """Indexes pipelines under this process's lease, many at once and in turn."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store
        self._ledger = parts.store.indexing
        self._places = Places()
        self.claims: Claims[Id, IndexClaim] = Claims(parts.process, give_back=self._give_back)

    async def run(self, pipeline_id: Id) -> None:
        """Index what waits in a pipeline; does nothing when another process is at it."""
        await self.claims.run(pipeline_id, claim=lambda: self._claim(pipeline_id), do=self._index)

    async def _claim(self, pipeline_id: Id) -> IndexClaim | None:
        living, process = await self._parts.process.living(), self._parts.process.name
        return await self._ledger.claim(pipeline_id, process, living=living)

    async def _give_back(self, claim: IndexClaim) -> None:
        await self._ledger.release(claim)
        await self._parts.jobs.wake(INDEX, claim.pipeline_id)

    async def _index(self, claim: IndexClaim, holds: Holds) -> None:
        """Index until nothing waits, and look once more: who came meanwhile has seen the claim and left."""
        try:
            while True:
                following = await self._next(claim, holds)
                if following is None:
                    break
                claim = following
        except Lost:
            log.info("a pipeline is gone, or another process's now", pipeline=claim.pipeline_id)
            await patiently(lambda: self._ledger.forget(claim), holds)
            return
        await patiently(lambda: self._ledger.release(claim), holds)
        if await patiently(lambda: self._ledger.waits(claim.pipeline_id), holds):
            await self._parts.jobs.wake(INDEX, claim.pipeline_id)

    async def _next(self, claim: IndexClaim, holds: Holds) -> IndexClaim | None:
        """Index a batch and return the claim as it is now, None when nothing waits; raises Lost."""
        pipeline = await patiently(lambda: self._store.pipelines.get(claim.pipeline_id), holds)
        if pipeline is None:
            raise Lost
        renewed = await patiently(lambda: self._renew(claim, pipeline), holds)
        batch = Batch(
            renewed,
            pipeline,
            store=self._store,
            embedder=self._parts.embedder,
            places=self._places,
            holds=holds,
        )
        async with self._places.loaded.place(owner_of(pipeline)):
            documents = await patiently(lambda: self._ledger.batch(claim.pipeline_id), holds)
            files = [document for document in documents if document.file is not None]
            if texts := [document for document in documents if document.file is None]:
                await self._do(batch, texts)
        some = bool(documents)
        del documents, texts  # reading files takes long
        for file in files:
            await self._do(batch, [file])
        return renewed if some else None

    async def _renew(self, claim: IndexClaim, pipeline: Pipeline) -> IndexClaim:
        """Have all documents indexed anew when they are cut or embedded otherwise than before.

        What they have is searched until then. It is harmless when done twice.
        """
        made = (pipeline.transform_version, self._parts.embedder.name)
        if (claim.transform_version, claim.embedder) == made:
            return claim
        if claim.embedder is not None:
            count = await self._ledger.requeue(claim)
            log.info("documents are indexed anew", pipeline=pipeline.id, documents=count)
        await self._ledger.note(claim, transform_version=made[0], embedder=made[1])
        return replace(claim, transform_version=made[0], embedder=made[1])

    async def _do(self, batch: Batch, documents: Sequence[Waiting]) -> None:
        """Index documents; when one of several is refused, in parts down to each by itself."""
        try:
            await batch.run(documents)
        except (Lost, Unavailable):
            raise
        except Upstream as error:
            if error.may_retry:  # the model is away, for all alike
                await batch.refuse_all(error.message)
            else:
                await self._refuse(batch, documents, error.message)
        except Exception:  # a bug of ours: done again it would break again
            log.exception("documents cannot be indexed", documents=len(documents))
            await self._refuse(batch, documents, BROKEN)

    async def _refuse(self, batch: Batch, documents: Sequence[Waiting], error: str) -> None:
        """Say of a document why it is not indexed; of several, try again to find out which it is."""
        if len(documents) == 1:
            await batch.refuse(documents, error)
            return
        size = -(-len(documents) // PARTS)
        for at in range(0, len(documents), size):
            await self._do(batch, documents[at : at + size])
