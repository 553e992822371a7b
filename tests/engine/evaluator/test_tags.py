"""Tags in what a caller says literally."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.engine.evaluator.callers.caller import EndCall, Say, Silence, Turn
from server.engine.evaluator.callers.tags import problems, split, steps_of


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Hello", (Say("Hello"),)),
        ("", ()),
        ("Thanks. <endcall/>", (Say("Thanks."), EndCall())),
        ("<endcall />", (EndCall(),)),
        ("<ENDCALL/>", (EndCall(),)),
        ('Well <silence time="2s"/> yes', (Say("Well"), Silence(2.0), Say("yes"))),
        ("<silence time='0.5'/>yes<endcall/>", (Silence(0.5), Say("yes"), EndCall())),
        ('<silence time="250ms" />', (Silence(0.25),)),
        ("I have 2 < 3 <b>bold</b> pizzas", (Say("I have 2 < 3 <b>bold</b> pizzas"),)),
        ("Bye <endcall/> never said", (Say("Bye"), EndCall())),
    ],
)
def test_tags_act_and_are_not_said(text: str, steps: Turn) -> None:
    assert steps_of(text) == steps


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<endcal/>", "<endcal/> is not a tag that callers know; there are <endcall/>"),
        ("Bye <endcall>", "`<endcall>` cannot be read"),
        ("Bye </endcall>", "`</endcall>` cannot be read"),
        ("Bye <endcall", "`<endcall` cannot be read"),
        ("<silence/>", "takes its time in seconds"),
        ('<silence time="0s"/>', "takes its time in seconds"),
        ('<silence time="soon"/>', "takes its time in seconds"),
        ('<silence time="301s"/>', "up to 300"),
        ("<silence time=2s/>", "cannot be read"),
        ("Bye <endcall/> see you", "Nothing can follow <endcall/>"),
        ('<dtmf digits="12"/>', "<dtmf/> acts in voice runs only"),
        ("<volume/>", "<volume/> acts in voice runs only"),
    ],
)
def test_what_is_wrong_is_said(text: str, problem: str) -> None:
    (found,) = problems(text, as_text=True)
    assert problem in found


@pytest.mark.parametrize(
    "tag", ['<hold time="5s"/>', '<dtmf digits="1"/>', '<speed ratio="1.5"/>', "<volume/>"]
)
def test_voice_tags_are_fine_where_there_is_a_voice(tag: str) -> None:
    assert problems(f"{tag} Hello", as_text=False) == []
    assert len(problems(f"{tag} Hello", as_text=True)) == 1


def test_words_and_right_tags_have_no_problems() -> None:
    assert problems('1 < 2, <b>really</b> <silence time="2s"/> bye <endcall/>', as_text=True) == []


def test_an_instruction_is_split_from_its_tags() -> None:
    assert split("Say goodbye <silence time='1s'/> kindly <endcall/>") == ("Say goodbye kindly", True)
    assert split("Say goodbye") == ("Say goodbye", False)


@given(st.text(alphabet="<>/ endcalsit=\"'20m", max_size=300))
def test_any_text_becomes_steps(text: str) -> None:
    steps = steps_of(text)
    assert all(step.text.strip() for step in steps if isinstance(step, Say))
    assert EndCall() not in steps[:-1]
    problems(text, as_text=True)


def test_long_texts_are_read_in_linear_time() -> None:
    before = process_time()
    for text in ("<a" + " " * 32_000, "<" * 32_000, "<a b='" * 5_000, '<silence time="2s"/>' * 1_600):
        steps_of(text)
        problems(text, as_text=True)
    assert process_time() - before < 2  # it takes 0.04 s; each pair of characters once would be 1e9 steps
