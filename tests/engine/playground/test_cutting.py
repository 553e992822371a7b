"""Texts cut into chunks by tokens, and what of a chunk is embedded."""

from itertools import pairwise

import pytest

from schemas.pipeline import TransformConfig
from server.engine.playground.indexing.cutting import METADATA_CHARS, cut, embedded, is_markdown
from server.engine.playground.indexing.reading_files import SHORT_CHARS, cut_texts
from server.llm.word_vectors import WordVectors

SMALL = TransformConfig(chunk_size=32, chunk_overlap=0)
SENTENCES = [f"Sentence number {n} speaks of café prices – {n} € in Zürich 🎭." for n in range(40)]
PROSE = " ".join(SENTENCES)
MARKDOWN = (
    "# Fees\n\nA visit costs 20 €.\n\n## Discounts\n\nChildren pay half.\n\n# Hours\n\nWe open at nine.\n"
)


def tokens(text: str) -> int:
    """Return the length of a text in the tokens that sizes are given in."""
    return len(WordVectors.load().tokenizer.encode(text, add_special_tokens=False).ids)


def test_chunks_lie_where_they_say_and_are_no_longer_than_asked() -> None:
    cuts = cut(PROSE, SMALL, markdown=False)
    parts = [PROSE[start:end] for start, end in cuts]
    assert len(parts) > 10
    assert all(0 < tokens(part) <= 32 for part in parts)
    assert "".join("".join(parts).split()) == "".join(PROSE.split())  # nothing lost, nothing twice
    assert all(part == part.strip() for part in parts)


def test_chunks_end_where_sentences_do() -> None:
    parts = [PROSE[start:end] for start, end in cut(PROSE, SMALL, markdown=False)]
    assert sum(part.endswith(".") for part in parts) > len(parts) * 0.9


def test_neighbours_overlap_by_as_much_as_asked() -> None:
    config = TransformConfig(chunk_size=64, chunk_overlap=32)
    cuts = cut(PROSE, config, markdown=False)
    shared = [PROSE[right[0] : left[1]] for left, right in pairwise(cuts)]
    assert all(left[0] < right[0] for left, right in pairwise(cuts))
    assert any(shared)
    assert all(tokens(text) <= 32 for text in shared)


def test_markdown_is_cut_at_its_headings() -> None:
    assert is_markdown(MARKDOWN)
    assert not is_markdown("#hashtags are no headings")
    parts = [MARKDOWN[start:end] for start, end in cut(MARKDOWN, SMALL, markdown=True)]
    assert parts[-1].startswith("# Hours")
    assert not any("# Hours" in part for part in parts[:-1])


@pytest.mark.parametrize("text", ["", " \n\t ", "\ufeff"])
async def test_a_text_without_a_word_has_no_chunks_worth_naming(text: str) -> None:
    [found] = await cut_texts([text], SMALL)
    assert found.error is None
    assert len(found.cuts) <= 1


async def test_a_long_text_is_cut_as_a_short_one() -> None:
    text = PROSE * (SHORT_CHARS // len(PROSE) + 1)
    assert len(text) > SHORT_CHARS
    [found] = await cut_texts([text], SMALL)
    assert list(found.cuts) == cut(text, SMALL, markdown=False)
    assert found.text is None


async def test_a_text_of_too_many_chunks_is_refused() -> None:
    config = TransformConfig(chunk_size=16, chunk_overlap=0)
    [found] = await cut_texts(["one two three four five six seven eight.\n\n" * 25_000], config)
    assert "too many chunks" in (found.error or "")


def test_metadata_is_embedded_with_the_text_but_for_what_is_excluded() -> None:
    about = {"title": "Fees", "year": 2024, "tags": ["a", "b"], "secret": "x"}
    assert embedded("Text", about, excluded=frozenset({"secret"})) == (
        'title: Fees\nyear: 2024\ntags: ["a","b"]\n\nText'
    )
    assert embedded("Text", about, excluded=frozenset(about)) == "Text"
    long = embedded("Text", {"note": "n" * 10_000}, excluded=frozenset())
    assert len(long) == METADATA_CHARS + len("\n\nText")
