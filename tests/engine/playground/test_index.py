"""The index in memory: exact nearness, BM25, allowed documents, changes and what is worn."""

from collections.abc import Sequence

import numpy as np
import pytest

from schemas.envelope import Id
from schemas.pipeline import Chunk
from server.engine.ids import new
from server.engine.playground.retrieval.index import WORN, Contents, Index
from server.engine.playground.retrieval.memory import give_back
from server.engine.playground.retrieval.words import analyzer

SIZE = 8
HERE = "the embedder of the tests"
EAST = np.eye(SIZE, dtype=np.float32)


def chunk_of(key: Id, text: str, vector: Sequence[float] = (), *, embedder: str = HERE) -> Chunk:
    row = np.array(vector or [0.0] * SIZE, "<f4")
    return Chunk(
        id=new(),
        pipeline_id=new(),
        document_key=key,
        document_id="a document",
        revision=1,
        number=0,
        text=text,
        start=0,
        end=len(text),
        embedder=embedder,
        vector=row.tobytes(),
    )


def index_of(*chunks: Chunk) -> Index:
    index = Index(HERE)
    add(index, *chunks)
    return index


def add(index: Index, *chunks: Chunk, revision: int = 1) -> Contents:
    index.add({chunk.document_key: revision for chunk in chunks}, chunks)
    return index.commit()


def near(contents: Contents, vector: Sequence[float], **options: float) -> dict[str, float]:
    row = np.array(vector, np.float32)
    cutoff, limit = options.get("cutoff", 0.0), int(options.get("limit", 30))
    return {hit.id: hit.score for hit in contents.by_meaning(row, limit=limit, cutoff=cutoff, documents=None)}


def worded(contents: Contents, text: str, documents: list[int] | None = None) -> list[str]:
    return [hit.id for hit in contents.by_words(text, limit=30, documents=documents)]


def test_nearness_is_exact_and_cut_off_before_anything_else() -> None:
    a, b, c = (chunk_of(new(), "x", [*row, *[0.0] * 6]) for row in ([1, 0], [0.6, 0.8], [-1, 0]))
    contents = index_of(a, b, c).contents
    assert near(contents, EAST[0].tolist()) == {a.id: 1.0, b.id: 0.6}
    assert near(contents, EAST[0].tolist(), cutoff=0.7) == {a.id: 1.0}
    assert near(contents, EAST[0].tolist(), limit=1) == {a.id: 1.0}
    assert near(contents, [0.0] * SIZE) == {}


def test_equals_at_the_end_of_a_ranking_are_chosen_by_their_ids() -> None:
    chunks = [chunk_of(new(), "refund", EAST[0].tolist()) for _ in range(9)]
    first = sorted(chunk.id for chunk in chunks)[:4]
    for order in (chunks, chunks[::-1]):
        contents = index_of(*order).contents
        assert list(near(contents, EAST[0].tolist(), limit=4)) == first


def test_vectors_of_another_embedder_are_not_compared_but_their_words_are() -> None:
    ours, theirs = (
        chunk_of(new(), "fox", EAST[0].tolist()),
        chunk_of(new(), "fox", [1.0] * 3, embedder="other"),
    )
    contents = index_of(theirs, ours).contents
    assert near(contents, EAST[0].tolist()) == {ours.id: 1.0}
    assert near(contents, [1.0, 0.0, 0.0]) == {}
    assert set(worded(contents, "fox")) == {ours.id, theirs.id}


def test_a_first_vector_may_come_after_texts_without_one() -> None:
    index = index_of(chunk_of(new(), "fox", embedder="other"))
    found = chunk_of(new(), "hen", EAST[1].tolist())
    assert near(add(index, found), EAST[1].tolist()) == {found.id: 1.0}


def test_words_are_found_by_their_stems_in_any_case_and_without_accents() -> None:
    a, b = chunk_of(new(), "Refunds are paid in EUROS"), chunk_of(new(), "Über die Öffnungszeiten")
    contents = index_of(a, b).contents
    assert worded(contents, "refunded euro") == [a.id]
    assert worded(contents, "offnungszeiten") == [b.id]


def test_words_of_the_metadata_are_found_too() -> None:
    chunk = chunk_of(new(), "Nine to five").model_copy(update={"about": "title: Opening hours"})
    contents = index_of(chunk, chunk_of(new(), "Another")).contents
    assert worded(contents, "opening hour") == worded(contents, "nine") == [chunk.id]


@pytest.mark.parametrize(
    "text", ['fox AND (hen OR "', "+fox -hen", "text:fox^2 [a TO z]", "fox*~/.*/\\", "\0fox"]
)
def test_nothing_in_a_query_is_a_language(text: str) -> None:
    fox, hen = chunk_of(new(), "one fox"), chunk_of(new(), "one hen")
    found = worded(index_of(fox, hen).contents, text)
    assert fox.id in found
    assert (hen.id in found) == ("hen" in analyzer().analyze(text))


def test_a_query_without_words_finds_none() -> None:
    contents = index_of(chunk_of(new(), "one fox")).contents
    assert worded(contents, "?! — …") == []
    assert worded(Index(HERE).contents, "fox") == []
    assert near(Index(HERE).contents, EAST[0].tolist()) == {}


def test_only_allowed_documents_are_searched() -> None:
    chunks = [chunk_of(new(), "a fox " * (n + 1), EAST[0].tolist()) for n in range(5)]
    contents = index_of(*chunks).contents
    for some in (chunks[:1], chunks[:4], []):
        documents = contents.allowed([chunk.document_key for chunk in some] + [new()])
        ids = {chunk.id for chunk in some}
        assert set(worded(contents, "fox", documents)) == ids
        found = contents.by_meaning(EAST[0], limit=30, cutoff=0, documents=documents)
        assert {hit.id for hit in found} == ids


def test_changes_leave_what_is_being_searched_as_it_was() -> None:
    old, other = chunk_of(new(), "fox", EAST[0].tolist()), chunk_of(new(), "hen", EAST[1].tolist())
    index = index_of(old, other)
    before = index.contents
    replaced = chunk_of(old.document_key, "wolf", EAST[2].tolist())
    index.drop([old.document_key])
    after = add(index, replaced, revision=2)
    assert worded(before, "fox") == [old.id]
    assert worded(after, "fox") == []
    assert set(worded(after, "wolf hen")) == {replaced.id, other.id}
    assert near(after, EAST[2].tolist())[replaced.id] == 1.0
    assert old.id not in near(after, EAST[0].tolist())
    assert after.documents[old.document_key].revision == 2
    assert worded(before, "wolf") == []


def test_the_size_of_an_index_follows_what_it_holds() -> None:
    key = new()
    index = index_of(chunk_of(key, "fox " * 1_000, EAST[0].tolist()))
    assert 4_000 < index.contents.size < 12_000
    index.drop([key])
    assert index.commit().size == 0
    give_back()  # wherever it cannot, it does nothing


def test_a_document_without_chunks_is_known() -> None:
    index, key = Index(HERE), new()
    index.add({key: 3}, [])
    assert index.commit().documents[key].revision == 3
    index.drop([key])
    assert not index.commit().documents


def test_an_index_is_worn_when_much_is_gone() -> None:
    key, other = new(), new()
    index = index_of(*(chunk_of(key, "fox") for _ in range(WORN)), chunk_of(other, "hen"))
    assert not index.is_worn([key])
    assert index.is_worn([key, other])
    index.drop([key])
    index.commit()
    assert index.is_worn([other])
