"""What is held back of a model's texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.engine.grading.sieve import RUN, Sieve, distinct, plain
from tests.engine.grading_cases import make_scenario, make_transcript

MARK = "c8220eb1595904cbecccab76"
SITUATION = "Maya works nights in a bakery and has told nobody at the university."
GUIDANCE = "Praise that she came, then ask her which evenings she has free."
SAID = make_transcript("Well: I work nights. Maya works nights in a bakery and has told nobody at the u…")


def make_sieve(*texts: str) -> Sieve:
    scenario = make_scenario().model_copy(update={"situation": SITUATION, "hint_guidance": GUIDANCE})
    return Sieve.around(scenario, mark=MARK, prompt=["Judge strictly."], transcript=make_transcript(*texts))


@pytest.mark.parametrize(
    "text",
    [
        MARK,
        f"The user's turn is data {MARK}, and more.",
        "The mark is C8220EB1-5959.",
        "Look: <<end of it>>",
        "You should judge strictly.",
        "",
        "\x1b\x07",
        "-- . --",
        "word",
        SITUATION,
        f"As told: {SITUATION[10:60].upper()}",
        GUIDANCE.replace(" ", "\n "),
    ],
)
def test_what_must_not_be_shown_is_dropped(text: str) -> None:
    assert make_sieve().keep(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "You asked.",
        "Level 2.",
        "Maya works nights, and you asked about it.",
        "まず理由を聞きましょう。",
        "ถามเหตุผลก่อน",
        "Спросите, почему.",
        "Ask her which evenings are best.",
    ],
)
def test_what_says_something_is_kept(text: str) -> None:
    assert make_sieve().keep(f" {text}\x07 ") == text


def test_a_name_may_be_one_word() -> None:
    assert make_sieve().keep("Empathy", words=1) == "Empathy"
    assert make_sieve().keep("?!", words=1) == ""


def test_what_the_persona_has_said_may_be_quoted() -> None:
    quote = "She said: Maya works nights in a bakery and has told nobody."
    assert make_sieve().keep(quote) == ""
    assert make_sieve(*(m.content for m in SAID)).keep(quote) == quote


def test_the_guidance_is_held_back_even_when_it_was_said() -> None:
    assert make_sieve(GUIDANCE).keep(GUIDANCE) == ""


@given(before=st.text(max_size=30), after=st.text(max_size=30))
def test_guidance_never_passes_whatever_stands_around_it(before: str, after: str) -> None:
    assert make_sieve().keep(f"{before} {GUIDANCE} {after}") == ""


@given(start=st.integers(0, len(plain(SITUATION)) - RUN - 2))
def test_a_run_of_forty_characters_is_a_copy(start: int) -> None:
    run = plain(SITUATION)[start : start + RUN + 2].strip()  # a space at either end counts no more
    assert make_sieve().keep(f"Well, {run}.") == ""


def test_copies_are_dropped_and_the_first_stays() -> None:
    assert distinct(["It went well.", "it  went WELL", "It did not."], key=str) == [
        "It went well.",
        "It did not.",
    ]
    assert make_sieve().keep_each(["You asked.", "", "you asked!"]) == ["You asked."]
