"""Finds what a pipeline has to a query: filters, the two rankings, their fusion, modes and reranking."""

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from schemas.envelope import Id
from schemas.pipeline import Pipeline, PipelineDocument
from schemas.retrieval import Found, Passage, RerankedBy, RetrievalParams
from server.engine.playground.retrieval.filters import allowed_documents
from server.engine.playground.retrieval.fusion import EVEN, Scored, fuse
from server.engine.playground.retrieval.index import Contents
from server.engine.playground.retrieval.modes import Files
from server.engine.playground.retrieval.nodes import passage_of
from server.engine.playground.retrieval.reranking import Reranker
from server.engine.playground.retrieval.routing import Router
from server.engine.playground.retrieval.syncing import Indexes
from server.errors import NotFound
from server.llm.embeddings import Embedder
from server.store import Store

if TYPE_CHECKING:
    from server.llm.embeddings import Vectors

TRIES = 3  # at documents that are deleted while they are searched


class Retrieval:
    """Searches pipelines; whoever calls it has checked who may read them."""

    def __init__(
        self,
        store: Store,
        *,
        embedder: Embedder,
        indexes: Indexes,
        reranker: Reranker,
        router: Router,
        files: Files,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._indexes = indexes
        self._reranker = reranker
        self._router = router
        self._files = files

    async def retrieve(self, pipeline: Pipeline, query: str, params: RetrievalParams) -> Found:
        """Return what a pipeline, as it was just read, has to a query; cancelling is safe.

        Raises NotFound when the pipeline is deleted meanwhile, Unavailable, and Upstream when a model that is
        needed does not answer.
        """
        watch = Watch()
        mode = params.retrieval_mode
        if mode == "auto_routed":
            with watch.time("route"):
                mode = await self._router.choose(query, pipeline=pipeline)
                pipeline = await self._again(pipeline.id)  # a model may have taken its time
        if mode == "files_via_metadata":
            files = await self._named_files(pipeline, query, params, watch)
            return Found(passages=files, mode=mode, latency=watch.total())
        passages, rerank = await self._reranked(pipeline, query, params, watch, whole=mode != "chunks")
        if mode == "files_via_content":
            with watch.time("files"):
                top_k = params.files_top_k
                passages = await self._files.by_content(passages, pipeline_id=pipeline.id, top_k=top_k)
        return Found(passages=passages, mode=mode, rerank=rerank, latency=watch.total())

    async def aclose(self) -> None:
        """End what goes on, and give the indexes' memory back."""
        await self._indexes.aclose()
        await self._reranker.aclose()

    async def _named_files(
        self, pipeline: Pipeline, query: str, params: RetrievalParams, watch: "Watch"
    ) -> list[Passage]:
        """Return the files whose names and metadata fit best."""
        with watch.time("filter"):
            allowed = await allowed_documents(self._store, pipeline.id, params.search_filters)
        with watch.time("files"):
            top_k = params.files_top_k
            return await self._files.by_metadata(query, pipeline=pipeline, top_k=top_k, allowed=allowed)

    async def _reranked(
        self, pipeline: Pipeline, query: str, params: RetrievalParams, watch: "Watch", *, whole: bool
    ) -> tuple[list[Passage], RerankedBy]:
        """Return chunks in their last order: as many as wanted, or all where files are made out of them."""
        passages = await self._chunks(pipeline, query, params, watch)
        if not params.enable_reranking:
            return passages, "none"
        top_n = len(passages) if whole else params.rerank_top_n
        with watch.time("rerank"):
            return await self._reranker.rerank(query, passages, top_n=top_n)

    async def _chunks(
        self, pipeline: Pipeline, query: str, params: RetrievalParams, watch: "Watch"
    ) -> list[Passage]:
        """Return the chunks that fit best; when some are deleted meanwhile the search is repeated."""
        found: list[Passage] = []
        for _ in range(TRIES):
            with watch.time("filter"):
                allowed = await allowed_documents(self._store, pipeline.id, params.search_filters)
            with watch.time("index"):
                contents = await self._indexes.contents(pipeline)
            described = self._indexes.described(pipeline.id)
            hits = await self._search(contents, query, params, allowed=allowed, watch=watch)
            with watch.time("read"):
                keys = {contents.part(hit).document_key for hit in hits}
                revisions = {key: contents.documents[key].revision for key in keys}
                documents = await described.get(revisions, rewrites=pipeline.rewrites)
                found = _passages(contents, hits, documents)
            if len(found) == len(hits):
                break
            pipeline = await self._again(pipeline.id)
        return found

    async def _search(
        self,
        contents: Contents,
        query: str,
        params: RetrievalParams,
        *,
        allowed: Collection[Id] | None,
        watch: "Watch",
    ) -> list[Scored]:
        """Rank by meaning and by words, and fuse; a ranking without weight is not made."""
        documents = None if allowed is None else contents.allowed(allowed)
        if not len(contents.numbers) or documents == []:
            return []
        alpha = EVEN if params.alpha is None else params.alpha
        vector: Vectors | None = None
        if alpha > 0:
            with watch.time("embed"):
                vector = await self._embedder.embed_query(query)

        def rank() -> list[Scored]:
            dense: list[Scored] = []
            sparse: list[Scored] = []
            if vector is not None:
                with watch.time("dense"):
                    dense = contents.by_meaning(
                        vector,
                        limit=params.dense_similarity_top_k,
                        cutoff=params.dense_similarity_cutoff,
                        documents=documents,
                    )
            if alpha < 1:
                with watch.time("sparse"):
                    limit = params.sparse_similarity_top_k
                    sparse = contents.by_words(query, limit=limit, documents=documents)
            return fuse(dense, sparse, alpha=alpha, limit=_length(params, alpha))

        return await asyncio.to_thread(rank)

    async def _again(self, pipeline_id: Id) -> Pipeline:
        pipeline = await self._store.pipelines.get(pipeline_id)
        if pipeline is None:
            raise NotFound()
        return pipeline


class Watch:
    """Notes how long the steps of a retrieval take, in seconds."""

    def __init__(self) -> None:
        self.latency: dict[str, float] = {}
        self._began = time.perf_counter()

    def total(self) -> dict[str, float]:
        """Return the steps' times, and that since the beginning."""
        return {**self.latency, "total": time.perf_counter() - self._began}

    @contextmanager
    def time(self, step: str) -> Iterator[None]:
        """Count the time that a block takes for a step."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.latency[step] = self.latency.get(step, 0.0) + time.perf_counter() - began


def with_preset(asked: RetrievalParams, preset: RetrievalParams) -> RetrievalParams:
    """Return the settings that were asked for, and those of the preset where none was given."""
    given = asked.model_fields_set & RetrievalParams.model_fields.keys()
    return preset.model_copy(update={name: getattr(asked, name) for name in given})


def _passages(
    contents: Contents, hits: list[Scored], documents: Mapping[Id, PipelineDocument]
) -> list[Passage]:
    """Return hits with their texts and their documents'; those that are gone are left out."""
    found = []
    for hit in hits:
        part = contents.part(hit)
        if document := documents.get(part.document_key):
            found.append(passage_of(hit, part, document))
    return found


def _length(params: RetrievalParams, alpha: float) -> int:
    """Return how many chunks a fused ranking has at most: the larger of the counts that are used."""
    dense = params.dense_similarity_top_k if alpha > 0 else 0
    sparse = params.sparse_similarity_top_k if alpha < 1 else 0
    return max(dense, sparse)
