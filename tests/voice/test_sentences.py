"""Texts are cut into what is said at once, early and without losing a character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.engine.voice.offline.sentences import LONGEST, SentenceCutter


def cut(text: str, *, step: int = 1) -> list[str]:
    """Return the sentences of a text that comes in pieces."""
    cutter = SentenceCutter()
    found = [s for at in range(0, len(text), step) for s in cutter.feed(text[at : at + step])]
    return [*found, *cutter.flush()]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Yes. I do. Do you?", ["Yes. ", "I do. ", "Do you?"]),
        ("Well: that is one. And two: no cut.", ["Well: ", "that is one. ", "And two: no cut."]),
        ("It costs 3.50 now. Right?", ["It costs 3.50 now. ", "Right?"]),
        ("Dr. Smith and J. Doe, e.g. today. Yes.", ["Dr. Smith and J. Doe, e.g. today. ", "Yes."]),
        ("1. One thing\n2. Another", ["1. One thing\n", "2. Another"]),
        ('"Go!" she said. (Really?) Yes.', ['"Go!" ', "she said. ", "(Really?) ", "Yes."]),
        ("Wait... what", ["Wait... ", "what"]),
        ("... – ", ["... – "]),
        ("", []),
        (
            "Before I can tell you anything about the price of that other thing, I have to ask, really, ask.",
            [
                "Before I can tell you anything about the price of that other thing, ",
                "I have to ask, really, ask.",
            ],
        ),
    ],
)
def test_sentences_are_found(text: str, sentences: list[str]) -> None:
    assert cut(text) == sentences


def test_what_has_no_end_is_cut_at_words() -> None:
    pieces = cut("word " * 200)
    assert max(map(len, pieces)) <= LONGEST + 1
    assert all(piece.endswith(" ") for piece in pieces)
    assert max(map(len, cut("x" * 1_000))) <= LONGEST + 1


@given(st.text(alphabet="ab1 .,:!?\n\"'–", max_size=400), st.integers(1, 40))
def test_nothing_is_lost(text: str, step: int) -> None:
    assert "".join(cut(text, step=step)) == text
