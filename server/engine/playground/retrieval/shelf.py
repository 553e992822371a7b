"""What documents are called and what their metadata says, as it can be searched, in memory."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from schemas.envelope import Id
from schemas.pipeline import Pipeline, PipelineDocument
from server.engine.grading.transcript import clip
from server.engine.playground.describing import lines_of, name_of
from server.engine.playground.retrieval.fusion import Scored
from server.engine.playground.retrieval.words import View, Words
from server.store import Store

MAX_LABELS = 5_000  # documents that are ranked by what they are called
MAX_LABEL = 2_000  # characters of a document's metadata
MAX_NAME = 200
MAX_SHELVES = 16


class Label(NamedTuple):
    """A document by its key, and what it is called."""

    key: Id
    name: str


@dataclass(frozen=True)
class Shelf:
    """The documents of a pipeline at one time, by what they are called."""

    changes: int
    labels: list[Label]
    words: View

    async def search(self, query: str, *, limit: int, allowed: Collection[Id] | None) -> list[Scored]:
        """Return the keys of documents whose name or metadata has words of a query, best first."""
        numbers = [i for i, label in enumerate(self.labels) if allowed is None or label.key in allowed]
        hits = await asyncio.to_thread(self.words.search, query, limit=limit, documents=numbers)
        return [Scored(self.labels[hit.number].key, hit.score) for hit in hits]


class _Held:
    """A pipeline's shelf, None at first, and its turn at being made: queries that come together need one."""

    def __init__(self) -> None:
        self.shelf: Shelf | None = None
        self.making = asyncio.Lock()
        self.used = 0.0


class Shelves:
    """Shelves of the pipelines that were asked for last; each is made anew when its pipeline has changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: OrderedDict[Id, _Held] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    async def of(self, pipeline: Pipeline) -> Shelf:
        """Return a pipeline's shelf, not older than the pipeline as it was read; raises Unavailable."""
        held = self._held.setdefault(pipeline.id, _Held())
        self._held.move_to_end(pipeline.id)
        held.used = time.monotonic()
        while len(self._held) > MAX_SHELVES:
            self._held.popitem(last=False)
        async with held.making:
            if held.shelf is None or held.shelf.changes != pipeline.changes:
                documents = await self._store.pipeline_documents.findable(pipeline.id, limit=MAX_LABELS)
                held.shelf = await asyncio.to_thread(_shelf, documents, pipeline.changes)
            return held.shelf

    def release(self, *, idle: float) -> None:
        """Forget shelves that nobody has asked for in some seconds; who is at one keeps it."""
        now = time.monotonic()
        for pipeline_id, held in list(self._held.items()):
            if now - held.used >= idle:
                del self._held[pipeline_id]


def called(document: PipelineDocument) -> str:
    """Return what a document is called: by its metadata, else its id unless that is only a UUID."""
    return name_of(document.metadata) or ("" if _is_uuid(document.id) else document.id)


def text_of(document: PipelineDocument) -> str:
    """Return a document's name and metadata as they are searched and judged; nothing of its text."""
    shown = lines_of(document.metadata, hidden=frozenset(document.excluded_llm_metadata_keys))
    name = "" if _is_uuid(document.id) else document.id
    return clip("\n".join([name, *shown]).strip(), MAX_LABEL)


def _shelf(documents: list[PipelineDocument], changes: int) -> Shelf:
    words = Words()
    for number, document in enumerate(documents):
        words.add(text_of(document), number=number, document=number)
    labels = [Label(document.key, clip(called(document), MAX_NAME)) for document in documents]
    return Shelf(changes=changes, labels=labels, words=words.commit())


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
