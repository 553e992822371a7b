"""The manners of callers: whatever a model comes up with, they do not hang up early, nor with a question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.engine.evaluator.callers.caller import EndCall, Say
from server.engine.evaluator.callers.manners import (
    Again,
    SoFar,
    Spoken,
    asks,
    cleaned,
    decide,
    is_goodbye,
    is_greeting,
)

WORDS = st.text(alphabet='abye good?!.\n:Agent[]end_call"<think>/', max_size=120)
TEXTS = st.one_of(
    WORDS, st.sampled_from(["", "Goodbye!", "Bye", "Yes.", "And when?", "Agent: Yes?", "end_call()", " "])
)
SPOKEN = st.builds(Spoken, text=TEXTS, ends=st.booleans(), waits=st.booleans())
SO_FAR = st.builds(
    SoFar,
    mine=st.lists(TEXTS, max_size=20),
    heard=TEXTS,
    asked=st.booleans(),
    tools=st.booleans(),
    deferred=st.integers(0, 5),
)


@given(SPOKEN, SO_FAR)
def test_whatever_a_model_comes_up_with_is_in_good_manners(spoken: Spoken, so_far: SoFar) -> None:
    decided = decide(spoken, so_far)
    if isinstance(decided, Again):
        assert decided.note
        return
    assert decided
    said = [step.text for step in decided if isinstance(step, Say)]
    assert all(text.strip() for text in said)
    if EndCall() in decided:
        assert decided[-1] == EndCall()
        assert not any(asks(text) for text in said)  # nobody would hear the answer


@given(SPOKEN, SO_FAR)
def test_nobody_hangs_up_before_being_answered_unless_going_in_circles(spoken: Spoken, so_far: SoFar) -> None:
    early = SoFar(mine=so_far.mine[:1], heard=so_far.heard, asked=False, deferred=so_far.deferred)
    decided = decide(spoken, early)
    if not isinstance(decided, Again) and EndCall() in decided:
        assert is_goodbye(early.mine[0])


@given(
    st.lists(st.builds(Spoken, text=TEXTS, ends=st.just(True), waits=st.booleans()), min_size=9, max_size=9)
)
def test_who_always_wants_to_hang_up_is_let_go_soon(spoken: list[Spoken]) -> None:
    mine, deferred, tries = ["Are you open?"], 0, 0
    for one in spoken:
        decided = decide(one, SoFar(mine=mine, heard="Yes, until nine.", asked=True, deferred=deferred))
        tries = tries + 1 if isinstance(decided, Again) else 0
        if tries == 3 or (not isinstance(decided, Again) and EndCall() in decided):
            return
        if not isinstance(decided, Again):
            mine += [step.text for step in decided if isinstance(step, Say)]
            deferred += 1
    pytest.fail("it was never let go")


@pytest.mark.parametrize(
    ("text", "takes_leave"),
    [
        ("Goodbye!", True),
        ("Thanks, good bye.", True),
        ("BYE", True),
        ("Bye-bye", True),
        ("Have a wonderful evening!", True),
        ("Tschüß, bis morgen", True),
        ("Ça marche, à bientôt", True),
        ("Спасибо, до свидания", True),
        ("شكرا، مع السلامة", True),
        ("Bye, or is there anything else?", False),
        ("Please take care of my order.", False),
        ("I have a day off.", False),
        ("Ciao, vorrei ordinare una pizza.", False),
        ("I byte my tongue", False),
        ("goodbye " * 60, False),  # more than a goodbye
        ("", False),
    ],
)
def test_goodbyes_are_known(text: str, takes_leave: bool) -> None:
    assert is_goodbye(text) is takes_leave


@pytest.mark.parametrize(
    ("text", "greets"),
    [
        ("Hello", True),
        ("Good morning", True),
        ("こんにちは", True),
        ("Are you open?", False),
        ("I want to cancel it", False),
        ("Cancellation-of-my-subscription", False),
    ],
)
def test_greetings_say_nothing_yet(text: str, greets: bool) -> None:
    assert is_greeting(text) is greets


@pytest.mark.parametrize(
    "text",
    [
        " " * 64_000,
        "\n" * 64_000,
        "*" * 64_000,
        "<think>" * 9_000,
        "agent:" * 9_000,
        "[{" * 30_000 + "end_call",
    ],
)
def test_long_texts_are_cleaned_quickly(text: str) -> None:
    words, _ = cleaned(text)
    assert len(words) <= 16_000
    decide(Spoken(text), SoFar(mine=[text], heard=text, asked=True))
