"""What a model thinks first is parted from what it says, however its words are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.engine.playground.thinking import MAX_THOUGHTS, Thinking


def parted(*parts: str) -> tuple[str | None, str]:
    """Return the thoughts and the answer of a model."""
    thinking = Thinking()
    said = "".join([thinking.take(part) for part in parts] + [thinking.rest()])
    return thinking.thoughts, said


@pytest.mark.parametrize(
    ("text", "thoughts", "answer"),
    [
        ("<thinking>why</thinking>So.", "why", "So."),
        (" \n<thinking>\nwhy\n</thinking>\n\nSo. ", "why", "So. "),
        ("<thinking></thinking>So.", "", "So."),
        ("So.", None, "So."),
        ("So <thinking>no</thinking>.", None, "So <thinking>no</thinking>."),
        ("<thin", None, "<thin"),
        ("<thinking>never ends", None, "never ends"),
        ("<thinking>why</thinking>", "why", ""),
        ("<thinking>a</thinking>b</thinking>c", "a", "b</thinking>c"),
        ("", None, ""),
        ("< b", None, "< b"),
    ],
)
def test_thoughts_and_answer(text: str, thoughts: str | None, answer: str) -> None:
    assert parted(text) == (thoughts, answer)
    assert parted(*text) == (thoughts, answer)


@given(st.text("<thinkg>/ a", max_size=40), st.lists(st.integers(0, 60), max_size=6))
def test_it_does_not_matter_how_the_words_are_cut(tail: str, places: list[int]) -> None:
    text = f"<thinking>{tail}"
    cuts = sorted({0, len(text), *(place for place in places if place < len(text))})
    parts = [text[a:b] for a, b in pairwise(cuts)]
    assert parted(*parts) == parted(text)


def test_a_model_that_thinks_too_long_says_all_of_it() -> None:
    thinking = Thinking()
    assert thinking.take("<thinking>" + "x" * MAX_THOUGHTS) == "x" * MAX_THOUGHTS
    assert thinking.take("y") == "y"
