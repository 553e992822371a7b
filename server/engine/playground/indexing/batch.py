"""Some documents of a pipeline on their way into the index: read, cut, embedded, stored and then searched."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import structlog

from schemas.envelope import Id
from schemas.pipeline import Chunk, Pipeline
from server.engine.claiming import Holds
from server.engine.fair_gate import FairGate
from server.engine.ids import derive
from server.engine.patience import patiently
from server.engine.playground.indexing.cutting import about, embedded
from server.engine.playground.indexing.reading_files import (
    GONE,
    SHORT_CHARS,
    Readable,
    cut_texts,
    read_file,
)
from server.errors import Upstream
from server.llm import Embedder
from server.store import Store
from server.store.indexing import IndexClaim, Indexed, Waiting

if TYPE_CHECKING:
    from server.llm.embeddings import Vectors

log = structlog.get_logger(__name__)
LOADED = 8  # batches in memory at once in a process
READING = 2  # files that are read at once, and texts that are cut
EMBEDDING = 2  # lots that are embedded at once
LOT = 64  # chunks that are embedded at once
STORED = 256  # chunks that are stored at once
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # s, after failures of the model; an endpoint may ask for more
LONGEST_PAUSE = 60.0


class Places:
    """What all batches of a process share, in turn for the owners; nobody has so much that others wait long.

    Who has one takes only those below it, so that nobody waits for each other.
    """

    def __init__(self) -> None:
        self.reading = FairGate(READING, most=1)
        self.loaded = FairGate(LOADED, most=LOADED // 2)
        self.cutting = FairGate(READING, most=1)
        self.embedding = FairGate(EMBEDDING)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A document with its text and its cuts, or why there are none."""

    document: Waiting
    found: Readable

    def texts(self) -> Iterator[tuple[int, int, int, str]]:
        """Yield number, beginning, end and text of each chunk."""
        text = self.document.text if self.found.text is None else self.found.text
        for number, (start, end) in enumerate(self.found.cuts):
            yield number, start, end, text[start:end]

    def result(self) -> Indexed:
        """Return what the document comes to once its chunks are stored."""
        document, found = self.document, self.found
        return Indexed(
            key=document.key,
            revision=document.revision,
            chunks=len(found.cuts),
            text=found.text,
            error=found.error,
        )


def owner_of(pipeline: Pipeline) -> str:
    """Return whom the places are counted for that the indexing of a pipeline takes."""
    return f"{pipeline.org}\x1f{pipeline.owner.kind}\x1f{pipeline.owner.id}"


class Batch:
    """Indexes documents under a claim; doing it again for the same ones is harmless."""

    def __init__(
        self,
        claim: IndexClaim,
        pipeline: Pipeline,
        *,
        store: Store,
        embedder: Embedder,
        places: Places,
        holds: Holds,
    ) -> None:
        self._claim = claim
        self._pipeline = pipeline
        self._owner = owner_of(pipeline)
        self._store = store
        self._embedder = embedder
        self._places = places
        self._holds = holds

    async def run(self, documents: Sequence[Waiting]) -> None:
        """Index documents without files, or one with a file; those that cannot be read say why.

        The former need a place among those loaded, the latter takes it once it is read. Cancelling is safe.
        Raises Lost, Upstream when the embedding model has failed for good or for long, and Unavailable once
        the lease is lost.
        """
        if documents[0].file is None:
            await self._keep([one for some in _together(documents) for one in await self._cut(some)])
            return
        async with self._places.reading.place(self._owner):
            ready = await self._read_file(documents[0], documents[0].file)
            async with self._places.loaded.place(self._owner):
                await self._keep([ready])

    async def _keep(self, ready: Sequence[_Ready]) -> None:
        """Store what documents come to, and have it searched."""
        await self._patiently(lambda: self._store.chunks.note_loose(one.document.key for one in ready))
        chunks = ((one.document, *rest) for one in ready for rest in one.texts())
        while lot := list(islice(chunks, STORED)):
            await self._index(lot)
        results = [one.result() for one in ready]
        await self._patiently(lambda: self._store.chunks.shorten(results))
        await self._patiently(lambda: self._store.indexing.commit(self._claim, results))

    async def refuse(self, documents: Sequence[Waiting], error: str) -> None:
        """Say of documents why they are not indexed; raises Lost, and Unavailable once the lease is lost."""
        results = [Indexed(key=d.key, revision=d.revision, error=error) for d in documents]
        await self._patiently(lambda: self._store.indexing.commit(self._claim, results))

    async def refuse_all(self, error: str) -> None:
        """Say so of all documents of the pipeline that wait; raises as `refuse` does."""
        await self._patiently(lambda: self._store.indexing.fail_all(self._claim, error))

    async def _patiently(self, call: Callable[[], Awaitable[None]]) -> None:
        await patiently(call, self._holds)

    async def _cut(self, documents: Sequence[Waiting]) -> list[_Ready]:
        texts = [document.text for document in documents]
        async with self._places.cutting.place(self._owner):
            found = await cut_texts(texts, self._pipeline.transform_config)
        return [_Ready(*pair) for pair in zip(documents, found, strict=True)]

    async def _read_file(self, document: Waiting, file_id: Id) -> _Ready:
        file = await patiently(lambda: self._store.pipeline_files.get(file_id), self._holds)
        if file is None:
            return _Ready(document, Readable(error=GONE))
        config = self._pipeline.transform_config
        found = await read_file(file.data, name=file.name, content_type=file.content_type, config=config)
        return _Ready(document, found)

    async def _index(self, lot: Sequence[tuple[Waiting, int, int, int, str]]) -> None:
        texts = [embedded(row[-1], row[0].metadata, excluded=row[0].excluded) for row in lot]
        vectors = [row for at in range(0, len(texts), LOT) for row in await self._embed(texts[at : at + LOT])]
        chunks = [
            Chunk.model_construct(
                id=derive("chunk", document.key, str(document.revision), str(number)),
                pipeline_id=self._pipeline.id,
                document_key=document.key,
                document_id=document.id,
                revision=document.revision,
                number=number,
                about=about(document.metadata, excluded=document.excluded),
                text=text,
                start=start,
                end=end,
                embedder=self._embedder.name,
                vector=vector.astype("<f4").tobytes(),
            )
            for (document, number, start, end, text), vector in zip(lot, vectors, strict=True)
        ]
        await self._patiently(lambda: self._store.chunks.write(chunks))

    async def _embed(self, texts: Sequence[str]) -> "Vectors":
        """Return vectors of texts, waiting for a model that fails as long as it is likely to come back."""
        for pause in (*PAUSES, None):
            try:
                async with self._places.embedding.place(self._owner):
                    return await self._embedder.embed(texts)
            except Upstream as error:
                if pause is None or not error.may_retry:
                    raise
                seconds = min(max(pause, error.retry_after or 0), LONGEST_PAUSE)
                log.warning("documents cannot be embedded now", code=error.code, again_in=seconds)
            await asyncio.sleep(seconds)
        raise AssertionError("the last try returns or raises")


def _together(documents: Iterable[Waiting]) -> Iterator[list[Waiting]]:
    """Yield documents that are cut at once: some that are short together, or a long one."""
    found: list[Waiting] = []
    size = 0
    for document in documents:
        size += len(document.text)
        if found and size > SHORT_CHARS:
            yield found
            found, size = [], len(document.text)
        found.append(document)
    if found:
        yield found
