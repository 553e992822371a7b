"""Whole files in the place of chunks: by what is in them, or by what they are called."""

from collections.abc import Collection, Iterable, Sequence

import structlog

from schemas.envelope import Id
from schemas.pipeline import Chunk, Pipeline, PipelineDocument
from schemas.retrieval import Passage
from server.engine.grading.transcript import clip
from server.engine.playground.retrieval.fusion import Scored, ranked, spread
from server.engine.playground.retrieval.judging import PassageScores, Shown, can_judge, turns_of
from server.engine.playground.retrieval.nodes import for_model
from server.engine.playground.retrieval.shelf import Shelf, Shelves, text_of
from server.errors import Upstream
from server.llm import Models
from server.store import Store

MAX_FILE_TEXT = 64_000  # characters of a file that are given; a file may be a book
CHUNKS = 32  # that are read at once
MAX_JUDGED = 100  # files that a model judges at once
MAX_LABEL_SHOWN = 600  # characters of what it reads of each
log = structlog.get_logger(__name__)
_TASK = (
    "You choose files by their names and metadata alone, before anybody reads them. For each file say how"
    " likely it holds what the query asks for, from 0 (not at all) to 10 (surely); leave out files with 0."
)


class Files:
    """Finds whole files of a pipeline; a model judges what they are called, where one can."""

    def __init__(self, store: Store, *, shelves: Shelves, models: Models) -> None:
        self._store = store
        self._shelves = shelves
        self._models = models

    async def by_content(self, chunks: Sequence[Passage], *, pipeline_id: Id, top_k: int) -> list[Passage]:
        """Return the files of chunks that were found, each as good as its best chunk, `top_k` at most.

        Raises Unavailable.
        """
        best: dict[str, float] = {}
        for chunk in chunks:
            best[chunk.document_id] = max(chunk.score, best.get(chunk.document_id, chunk.score))
        files: list[Passage] = []
        for document_id in sorted(best, key=lambda found: -best[found]):
            document = await self._store.pipeline_documents.get(pipeline_id, document_id)
            if document is not None and document.indexed:  # else it was deleted meanwhile
                files.append(await self._whole(document, score=best[document_id]))
            if len(files) == top_k:
                break
        return files

    async def by_metadata(
        self, query: str, *, pipeline: Pipeline, top_k: int, allowed: Collection[Id] | None
    ) -> list[Passage]:
        """Return the files whose names and metadata fit a query best, `top_k` at most.

        Without a judge these are files that have one of its words there. Raises Unavailable.
        """
        shelf = await self._shelves.of(pipeline)
        hits = await shelf.search(query, limit=MAX_JUDGED, allowed=allowed)
        scores = ranked([Scored(key, score) for key, score in spread(hits).items()]) if hits else []
        if can_judge(self._models):
            scores = await self._judged(query, _candidates(shelf, scores, allowed)) or scores
        best = scores[:top_k]
        texts = await self._store.pipeline_documents.many([one.id for one in best], texts=True)
        return [await self._whole(texts[one.id], score=one.score) for one in best if one.id in texts]

    async def _whole(self, document: PipelineDocument, *, score: float) -> Passage:
        """Return a document as one passage, by the text that is searched.

        Until what was written last is indexed, which a file that cannot be read never is, chunks hold it.
        """
        text = document.text
        if document.indexed != document.revision:
            text = joined(await self._searched(document))
        return whole_file(document, text, score=score)

    async def _searched(self, document: PipelineDocument) -> list[Chunk]:
        """Return the chunks by which a document is found, as many as MAX_FILE_TEXT takes or a few more."""
        found: list[Chunk] = []
        while not found or found[-1].end <= MAX_FILE_TEXT:
            page = await self._store.chunks.of_document(
                document.key, revision=document.indexed, skip=len(found), limit=CHUNKS
            )
            if not page:
                break
            found += page
        return found

    async def _judged(self, query: str, keys: Sequence[Id]) -> list[Scored]:
        """Return what a model chooses, best first; nothing when it is away."""
        documents = await self._store.pipeline_documents.many(keys)
        labels = [clip(text_of(documents[key]), MAX_LABEL_SHOWN) if key in documents else "" for key in keys]
        shown = [Shown(number, label) for number, label in enumerate(labels, start=1) if label]
        if not shown:
            return []
        try:
            turns = turns_of(_TASK, query=query, shown=shown)
            answer = await self._models.parse(PassageScores, turns, model=self._models.judge_name)
        except Upstream as error:
            log.warning("files not judged", code=error.code)
            return []
        chosen = {
            s.number: s.score / 10 for s in answer.value.scores if 0 < s.number <= len(keys) and s.score
        }
        order = sorted(chosen, key=lambda number: (-chosen[number], number))
        return [Scored(keys[number - 1], chosen[number]) for number in order]


def whole_file(document: PipelineDocument, whole: str, *, score: float) -> Passage:
    """Return a document of this text as one passage, its beginning where it is longer than MAX_FILE_TEXT."""
    text = whole[:MAX_FILE_TEXT]
    return Passage(
        id=document.key,
        document_id=document.id,
        text=text,
        for_model=for_model(text, document),
        metadata=document.metadata,
        excluded_embed_metadata_keys=document.excluded_embed_metadata_keys,
        excluded_llm_metadata_keys=document.excluded_llm_metadata_keys,
        score=score,
        start=0,
        end=len(text),
        cut=len(text) < len(whole),
    )


def joined(chunks: Iterable[Chunk]) -> str:
    """Return the text that chunks, in their order, were cut out of.

    What overlaps is there once. Between chunks only white space is left out: lines end in its place.
    """
    parts: list[str] = []
    end = 0
    for chunk in chunks:
        parts.append("\n" * (chunk.start - end) + chunk.text[max(0, end - chunk.start) :])
        end = max(end, chunk.end)
    return "".join(parts)


def _candidates(shelf: Shelf, hits: Sequence[Scored], allowed: Collection[Id] | None) -> list[Id]:
    """Return files that a model is shown: those with the query's words first, then others."""
    keys = [hit.id for hit in hits]
    known = set(keys)
    others = (label.key for label in shelf.labels if allowed is None or label.key in allowed)
    return [*keys, *(key for key in others if key not in known)][:MAX_JUDGED]
