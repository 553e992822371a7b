"""What is searched of one pipeline, in memory: vectors exactly, and words; made from MongoDB at any time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from schemas.envelope import Id
from schemas.pipeline import Chunk
from server.engine.playground.retrieval.fusion import Scored, ranked
from server.engine.playground.retrieval.words import View, Words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Numbers = NDArray[np.int64]
    Ids = NDArray[np.bytes_]
    Parts = NDArray[np.object_]
    Flags = NDArray[np.bool_]

DIGITS = 6  # of a cosine; beyond them it differs by where in memory a vector lies
WORN = 200  # chunks that are gone and do not matter yet
WORN_SHARE = 0.1
SPARE = 50  # more hits than wanted, so that equals at the end are chosen by their ids
_ID_BYTES = 36
_PLACE_BYTES = 250  # of a document in the table of what is live, measured
_PART_BYTES = 200  # of a chunk's text besides its letters, measured
_WORDS_SHARE = 1.6  # of a text's bytes that its words take at most, measured: 0.4 to 1.6


class Place(NamedTuple):
    """A document in an index: its number there, the revision that is searched, and its texts' bytes."""

    number: int
    revision: int
    text_bytes: int


class Part(NamedTuple):
    """What a chunk says, in UTF-8, and where in which document."""

    document_key: Id
    text: bytes
    start: int
    end: int


@dataclass(frozen=True)
class Contents:
    """What an index holds at one time; searching it is safe in any thread, and nothing of it changes.

    Rows are chunks, in the order of their numbers; `dense` tells which have a vector that can be compared.
    """

    documents: Mapping[str, Place]
    numbers: "Numbers"
    owners: "Numbers"  # the number of each row's document
    ids: "Ids"
    parts: "Parts"  # a Part for each row
    vectors: "Vectors"
    dense: "Flags"
    words: View

    @cached_property
    def size(self) -> int:
        """Return about how many bytes it takes."""
        arrays = (self.numbers, self.owners, self.ids, self.parts, self.vectors, self.dense)
        texts = sum(place.text_bytes for place in self.documents.values())
        fixed = _PLACE_BYTES * len(self.documents) + _PART_BYTES * len(self.parts)
        return sum(array.nbytes for array in arrays) + fixed + int(texts * (1 + _WORDS_SHARE))

    def allowed(self, keys: Collection[str]) -> list[int]:
        """Return the numbers of those of the documents that are here."""
        return [self.documents[key].number for key in keys if key in self.documents]

    def rows(self, keys: Collection[str]) -> "Flags":
        """Tell of each row whether it is of one of these documents."""
        import numpy as np

        return np.isin(self.owners, np.array(self.allowed(keys), np.int64))

    def by_meaning(
        self, vector: "Vectors", *, limit: int, cutoff: float, documents: Collection[int] | None
    ) -> list[Scored]:
        """Return the chunks nearest to a normalised vector, with their cosines, none below `cutoff`.

        A vector of nothing, or of another size than those here, is near to nothing.
        """
        import numpy as np

        if vector.shape[0] != self.vectors.shape[1] or not vector.any():
            return []
        if documents is None:
            rows = np.flatnonzero(self.dense)
        else:
            wanted = np.array(list(documents), np.int64)
            rows = np.flatnonzero(self.dense & np.isin(self.owners, wanted))
        if not len(rows):
            return []
        few = len(rows) * 2 < len(self.vectors)  # then copying them costs less than what it saves
        cosines = np.vecdot(self.vectors[rows], vector) if few else np.vecdot(self.vectors, vector)[rows]
        cosines = np.round(cosines.astype(np.float64), DIGITS)
        keep = cosines >= cutoff
        rows, cosines = rows[keep], cosines[keep]
        if len(rows) > limit:
            keep = cosines >= np.partition(cosines, -limit)[-limit]  # with all that are equal to the last
            rows, cosines = rows[keep], cosines[keep]
        order = np.lexsort((self.ids[rows], -cosines))[:limit]
        return self._scored(rows[order].tolist(), cosines[order].tolist())

    def by_words(self, text: str, *, limit: int, documents: Collection[int] | None) -> list[Scored]:
        """Return the chunks that fit a text's words best, with their BM25 scores."""
        import numpy as np

        hits = self.words.search(text, limit=limit + SPARE, documents=documents)
        rows = np.searchsorted(self.numbers, [hit.number for hit in hits])
        return ranked(self._scored(rows.tolist(), [hit.score for hit in hits]))[:limit]

    def part(self, hit: Scored) -> Part:
        """Return what a chunk says that was found here."""
        part: Part = self.parts[hit.row]
        return part

    def _scored(self, rows: Sequence[int], scores: Sequence[float]) -> list[Scored]:
        ids = self.ids
        return [Scored(ids[row].decode(), score, row) for row, score in zip(rows, scores, strict=True)]


class Index:
    """Makes contents out of chunks; one thread at a time, and after a failure it is of no more use."""

    def __init__(self, embedder: str) -> None:
        self._embedder = embedder
        self._words = Words()
        self._width = 0  # of vectors, once there are any
        self._chunks = 0  # that have got a number
        self._places = 0  # documents that have got one
        self._dropped = 0  # chunks that are gone, but still count in how rare words are
        self._gone: set[str] = set()
        self._fresh: list[Contents] = []
        self.contents = self._empty(self._words.commit())

    def is_worn(self, gone: Collection[str]) -> bool:
        """Tell whether so much is gone, with these documents, that the index is better made anew.

        BM25 goes on counting the words of what is gone; a process that never had it does not.
        """
        dropped = self._dropped + int(self.contents.rows(gone).sum())
        return dropped > max(WORN, WORN_SHARE * len(self.contents.numbers))

    def drop(self, keys: Collection[str]) -> None:
        """Remove documents with the next commit."""
        self._gone.update(keys)
        self._words.drop(self.contents.allowed(keys))

    def add(self, revisions: Mapping[str, int], chunks: Sequence[Chunk]) -> None:
        """Add documents, whose chunks these are, with the next commit."""
        import numpy as np

        numbers = {key: self._places + at for at, key in enumerate(revisions)}
        self._places += len(numbers)
        texts = dict.fromkeys(revisions, 0)
        for at, chunk in enumerate(chunks, self._chunks):
            text = f"{chunk.about}\n{chunk.text}"
            texts[chunk.document_key] += len(text.encode())
            self._words.add(text, number=at, document=numbers[chunk.document_key])
        vectors, dense = self._vectors(chunks)
        fresh = Contents(
            documents={key: Place(numbers[key], revisions[key], texts[key]) for key in revisions},
            numbers=np.arange(self._chunks, self._chunks + len(chunks), dtype=np.int64),
            owners=np.array([numbers[chunk.document_key] for chunk in chunks], np.int64),
            ids=np.array([chunk.id for chunk in chunks], f"S{_ID_BYTES}"),
            parts=_parts(revisions, chunks),
            vectors=vectors,
            dense=dense,
            words=self.contents.words,
        )
        self._chunks += len(chunks)
        self._fresh.append(fresh)

    def commit(self) -> Contents:
        """Make the changes visible, and return what the index holds now."""
        import numpy as np

        held = self.contents
        stay = ~held.rows(self._gone)
        self._dropped += int(len(stay) - stay.sum())
        documents = {key: place for key, place in held.documents.items() if key not in self._gone}
        for fresh in self._fresh:
            documents.update(fresh.documents)
        self.contents = Contents(
            documents=documents,
            numbers=np.concatenate([held.numbers[stay], *(fresh.numbers for fresh in self._fresh)]),
            owners=np.concatenate([held.owners[stay], *(fresh.owners for fresh in self._fresh)]),
            ids=np.concatenate([held.ids[stay], *(fresh.ids for fresh in self._fresh)]),
            parts=np.concatenate([held.parts[stay], *(fresh.parts for fresh in self._fresh)]),
            vectors=np.concatenate(
                [self._wide(held.vectors[stay]), *(self._wide(fresh.vectors) for fresh in self._fresh)]
            ),
            dense=np.concatenate([held.dense[stay], *(fresh.dense for fresh in self._fresh)]),
            words=self._words.commit(),
        )
        self._fresh, self._gone = [], set()
        return self.contents

    def _vectors(self, chunks: Sequence[Chunk]) -> "tuple[Vectors, Flags]":
        """Return a row for each chunk, and which of them can be compared: those of this embedder."""
        import numpy as np

        found = {
            at: np.frombuffer(chunk.vector, "<f4")
            for at, chunk in enumerate(chunks)
            if chunk.embedder == self._embedder
        }
        found = {at: vector for at, vector in found.items() if vector.any()}
        if not self._width and found:
            self._width = len(next(iter(found.values())))
        vectors = np.zeros((len(chunks), self._width), np.float32)
        dense = np.zeros(len(chunks), np.bool_)
        for at, vector in found.items():
            if len(vector) == self._width:
                vectors[at], dense[at] = vector, True
        return vectors, dense

    def _wide(self, vectors: "Vectors") -> "Vectors":
        """Return rows in the width that was found out later."""
        import numpy as np

        same = vectors.shape[1] == self._width
        return vectors if same else np.zeros((len(vectors), self._width), np.float32)

    def _empty(self, words: View) -> Contents:
        import numpy as np

        return Contents(
            documents={},
            numbers=np.zeros(0, np.int64),
            owners=np.zeros(0, np.int64),
            ids=np.zeros(0, f"S{_ID_BYTES}"),
            parts=np.zeros(0, np.object_),
            vectors=np.zeros((0, 0), np.float32),
            dense=np.zeros(0, np.bool_),
            words=words,
        )


def _parts(revisions: Mapping[Id, int], chunks: Sequence[Chunk]) -> "Parts":
    """Return what chunks say; those of a document share its key."""
    import numpy as np

    keys = {key: key for key in revisions}
    parts = np.empty(len(chunks), np.object_)
    for at, chunk in enumerate(chunks):
        parts[at] = Part(keys[chunk.document_key], chunk.text.encode(), chunk.start, chunk.end)
    return parts
