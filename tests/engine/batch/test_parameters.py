"""Parameters agree exactly, loosely, or by the rule of the Berkeley leaderboard."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.batch import ParameterMatch
from server.engine.batch.parameters import accepted, exactly_equal, loosely_equal, mapped_percentage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
MODES: list[ParameterMatch] = ["exact", "loose", "bfcl"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (5, "5"),
        (5, 5.0),
        ("5", 5.0),
        ("5.0", 5),
        (-0.5, "-0.5"),
        (1e3, "1000"),
        (True, "true"),
        (False, "false"),
        (None, None),
        ("", ""),
        ([1, {"a": 2}], [1.0, {"a": 2}]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (10**30, str(10**30)),
    ],
)
def test_values_are_exactly_equal_both_ways(one: object, other: object) -> None:
    assert exactly_equal(one, other)
    assert exactly_equal(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (0, False),
        ("1", True),
        ("True", True),
        (None, "null"),
        (None, False),
        (None, ""),
        ("5", "5.0"),  # two texts are what they are
        ("T shirt", "t shirt"),
        ("T shirt", "T shirts"),
        (5, "05"),
        (5, " 5"),
        (5, "5_0"),
        (5, "٥"),
        (float("inf"), "1e999x"),
        ([5], ["5"]),  # inside of lists and objects text is not a number
        ({"a": 5}, {"a": "5"}),
        ([1, 2], [2, 1]),
        ([1], [1, 2]),
        ([True], [1]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ([], {}),
        (5, [5]),
        ("[5]", [5]),
        (10**500, "1" + "0" * 500),
    ],
)
def test_values_are_not_exactly_equal_either_way(one: object, other: object) -> None:
    assert not exactly_equal(one, other)
    assert not exactly_equal(other, one)


@settings(deadline=None)
@given(JSON, JSON)
def test_whatever_is_exactly_equal_is_loosely_equal(one: object, other: object) -> None:
    assert exactly_equal(one, one)
    assert loosely_equal(one, one)
    assert exactly_equal(one, other) == exactly_equal(other, one)
    assert loosely_equal(one, other) == loosely_equal(other, one)
    assert loosely_equal(one, other) or not exactly_equal(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("T shirt", "t shirts"),
        ("T shirt", "  T   SHIRT "),
        ("Größe", "GRÖSSE"),
        ("TRUE", True),
        (" 5 ", 5),
        (["Red", "blues"], ["red", "blue"]),
        ([5], ["5"]),
        ({"Kind": "Dog"}, {"kind": "dogs"}),
        ({"maxPrice": 5}, {"max_price": "5"}),
    ],
)
def test_values_are_loosely_equal_both_ways(one: object, other: object) -> None:
    assert loosely_equal(one, other)
    assert loosely_equal(other, one)
    assert not exactly_equal(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("T shirt", "T shirtss"),
        ("T shirt", "shirt"),
        ("T shirt", "Tshirt"),
        ("", "s"),
        ("5", "5s"),
        (5, 6),
        (["red"], ["red", "blue"]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": None}, {"b": None}),
        (1, True),
    ],
)
def test_values_are_not_loosely_equal(one: object, other: object) -> None:
    assert not loosely_equal(one, other)
    assert not loosely_equal(other, one)


@pytest.mark.parametrize(
    ("options", "given_value"),
    [
        (["New York, NY"], "new york ny"),
        (["April 1, 2024"], "April 1 2024"),
        (["2*x^2"], "2x2"),
        (["it's"], 'it"s'),
        (["a", "b"], "B"),
        ([5.0], 5),
        ([5], 5),
        ([True], True),
        (["", True], True),
        ([""], ""),
        (["", "x"], ""),
        ([["New York", 2.5]], ["new-york", 2.5]),
        ([[1.0, 2.0]], [1, 2]),
        ([[1], [2, 3]], [2, 3]),
        ([[]], []),
        ([{"min": [3], "max": [4, 5]}], {"max": 5, "min": 3}),
        ([{"min": [3], "max": ["", 4]}], {"min": 3}),
        ([{"city": ["St. Louis"]}, {"city": ["LA"]}], {"city": "st louis"}),
        ([[{"field": ["age"]}, {"field": ["job", "work"]}]], [{"field": "Age"}, {"field": "work"}]),
        ([{"a": [{"b": [1]}]}], {"a": {"b": 1}}),
        ("Paris", "paris"),
        (5, 5),
        ([None], None),
    ],
)
def test_the_leaderboard_accepts(options: object, given_value: object) -> None:
    assert accepted(options, given_value)


@pytest.mark.parametrize(
    ("options", "given_value"),
    [
        (["a", "b"], "c"),
        (["5"], 5),
        ([5], "5"),
        ([5], 5.0),  # an int is declared
        ([5.5], 5),
        ([1], True),
        ([True], 1),
        ([True], "true"),
        (["", True], ""),
        (["", 5], "-"),
        (["x"], ""),
        (["x"], None),
        ([""], "x"),  # accepted only if it is left out
        ([[1, 2]], [2, 1]),
        ([[1, 2]], [1]),
        ([[1, 2]], 1),
        ([[[1]]], [1]),
        ([["a"]], "a"),
        ([{"min": [3]}], {"min": 4}),
        ([{"min": [3]}], {"min": 3, "max": 4}),
        ([{"min": [3], "max": [4]}], {"min": 3}),
        ([{"min": [3], "max": [4]}], [3, 4]),
        ([[{"field": ["age"]}]], [{"field": "job"}]),
        ([], "x"),
    ],
)
def test_the_leaderboard_does_not_accept(options: object, given_value: object) -> None:
    assert not accepted(options, given_value)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("expected", [None, {}])
def test_nothing_expected_is_all(mode: ParameterMatch, expected: dict[str, Any] | None) -> None:
    assert mapped_percentage(expected, {}, mode) == 100
    assert mapped_percentage(expected, {"q": 1}, mode) == 100


@pytest.mark.parametrize(
    ("mode", "expected", "given_values", "percentage"),
    [
        ("exact", {"q": "T shirt", "size": 5}, {"q": "T shirt", "size": "5"}, 100),
        ("exact", {"q": "T shirt", "size": 5}, {"q": "T shirts", "size": 5}, 50),
        ("exact", {"q": "T shirt", "size": 5}, {}, 0),
        ("exact", {"q": "a", "b": 1, "c": 2}, {"q": "a"}, 33.33),
        ("exact", {"q": "a"}, {"q": "a", "x": "y", "z": None}, 100),
        ("exact", {"Q": "a"}, {"q": "a"}, 0),
        ("exact", {"q": None}, {}, 0),
        ("exact", {"q": None}, {"q": None}, 100),
        ("exact", {"q": ["a"]}, {"q": "a"}, 0),
        ("loose", {"q": "T shirt", "size": 5}, {"q": "t shirts", "size": "5"}, 100),
        ("loose", {"max_price": 5}, {"maxPrice": 5}, 100),
        ("loose", {"max-price": 5}, {"MAX_PRICE": 5}, 100),
        ("loose", {"maxPrice": 5}, {"max_price": 6, "maxPrice": 5}, 100),  # the very name first
        ("loose", {"q": None}, {}, 0),
        ("bfcl", {"city": ["LA"], "unit": ["", "F"]}, {"city": "la"}, 100),
        ("bfcl", {"city": ["LA"], "unit": ["", "F"]}, {"city": "la", "unit": "C"}, 50),
        ("bfcl", {"city": ["LA"]}, {"City": "LA"}, 0),
        ("bfcl", {"city": ["LA"]}, {"city": "LA", "other": 1}, 100),
    ],
)
def test_the_percentage_is_matched_of_expected(
    mode: ParameterMatch, expected: dict[str, Any], given_values: dict[str, Any], percentage: float
) -> None:
    assert mapped_percentage(expected, given_values, mode) == percentage


@pytest.mark.parametrize("mode", MODES)
def test_values_that_are_nested_too_deep_to_compare_are_not_equal(mode: ParameterMatch) -> None:
    one: list[object] = []
    other: list[object] = []
    for _ in range(5_000):
        one, other = [one], [other]
    assert mapped_percentage({"q": [one], "size": 5}, {"q": [other], "size": 5}, mode) == 50


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=3), JSON, min_size=1, max_size=4), JSON)
def test_each_parameter_is_worth_the_same(expected: dict[str, Any], extra: object) -> None:
    assert mapped_percentage(expected, {**expected, "not expected": extra}, "exact") == 100
    missing = dict(list(expected.items())[1:])
    assert mapped_percentage(expected, missing, "exact") == round(100 * len(missing) / len(expected), 2)
