"""Conditions that need no model: contains, AND, OR, parentheses."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.engine.evaluator.callers.conditions import BadConditionError, compiled, is_contains


@pytest.mark.parametrize(
    ("condition", "said", "holds"),
    [
        ('contains "name"', "Your NAME, please?", True),
        ('contains "name"', "Your number, please?", False),
        ('CONTAINS "Straße"', "in welcher STRASSE?", True),
        ("contains 'your name'", "your\n  name", True),
        ("contains “name”", "name", True),
        (r'contains "the \"best\" one"', 'It is the "best" one.', True),
        (r"contains 'o\'clock'", "at five o\u2019clock", True),
        ('contains "a" AND contains "b"', "b and a", True),
        ('contains "x" and contains "y"', "x alone", False),
        ('contains "x" OR "y"', "y", True),
        ('contains "x"OR"y"', "y", True),
        # AND binds more strongly than OR
        ('contains "x" OR contains "y" AND contains "z"', "x", True),
        ('contains "x" AND contains "y" OR contains "z"', "z", True),
        ('contains "x" AND contains "y" OR contains "z"', "x", False),
        ('(contains "x" OR contains "y") AND contains "z"', "x", False),
        ('( contains "x" OR "y" ) AND ( "z" )', "y z", True),
        ('contains "AND"', "this and that", True),
        ('contains "(x"', "(x", True),
        ('"tomorrow" OR "today"', "Is TODAY fine?", True),
        ('("tomorrow" or "today") and contains "noon"', "today", False),
        ("“tomorrow”", "See you tomorrow.", True),
        ("'tomorrow' AND 'noon'", "tomorrow at noon", True),
    ],
)
def test_a_condition_holds(condition: str, said: str, holds: bool) -> None:
    assert is_contains(condition)
    assert compiled(condition)(said) is holds


@pytest.mark.parametrize(
    "prose",
    [
        "The agent asks for a name",
        "",
        "It contains a name",
        "containsome",
        'the text contains "x"',
        'The agent says "yes" or "of course", and asks on',
        '"Yes" is what the agent says',
        "'tis asked for a name AND a day",
        "The agent's price AND the caller's are the same",
        'The agent says "this AND"',
    ],
)
def test_all_else_is_prose(prose: str) -> None:
    assert not is_contains(prose)


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("contains name", "`name` cannot be read"),
        ("contains", "should stand instead of the end"),
        ('contains ""', "character 10 is empty"),
        ('contains " "', "is empty"),
        ('contains "x', '`"x` cannot be read'),
        ('contains "x" AND', "instead of the end"),
        ('contains "x" OR OR "y"', "instead of `OR` \\(character 17\\)"),
        ('contains "x" contains "y"', "AND, OR or the end should stand in place of `contains`"),
        ('(contains "x"', "closing parenthesis should stand in place of the end"),
        ('contains "x")', "in place of `\\)`"),
        ('contains "x" NOT "y"', 'NOT "y"'),
        ('contain "x" AND y', '`contain "x" AND y` cannot be read at character 1:'),
        ('containing "x"', '`containing "x"` cannot be read at character 1:'),
        ('"x" AND the agent asks', "`the agent asks` cannot be read at character 9:"),
        ('The agent says "x" OR "y"', "cannot be read at character 1: .* in prose"),
        ('contains "x"' + ' OR "x"' * 200, "more than 200 parts"),
    ],
)
def test_what_cannot_be_read_is_said(condition: str, problem: str) -> None:
    assert is_contains(condition)
    with pytest.raises(BadConditionError, match=problem):
        compiled(condition)


@given(st.text(alphabet='contaisANDOR "()xy\\', max_size=200), st.text(max_size=50))
def test_any_text_is_read_or_refused(text: str, said: str) -> None:
    with suppress(BadConditionError):
        assert compiled(f"contains {text}")(said) in (True, False)


def test_deep_parentheses_are_read_or_refused() -> None:
    assert compiled("(" * 99 + 'contains "x"' + ")" * 99)("x")
    with pytest.raises(BadConditionError, match="more than 200 parts"):
        compiled("(" * 1000 + 'contains "x"' + ")" * 1000)
