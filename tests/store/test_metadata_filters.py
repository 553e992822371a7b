"""Filters as queries of a real database, against the same rules written in plain Python."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pymongo import MongoClient
from pymongo.collection import Collection

from schemas.retrieval import FilterOperator, MetadataFilter, MetadataFilters, RetrievalParams
from server.engine.ids import new
from server.store.metadata_filters import facts_of, to_query

Rows = Collection[dict[str, Any]]
KEYS = ("year", "a.b", "$where", "tags", "")
ORDERS = (">", "<", ">=", "<=")
COERCING = ("in", "nin", "any", "all")
OPERATORS: tuple[FilterOperator, ...] = (
    *("==", "!=", ">", "<", ">=", "<=", "in", "nin", "any", "all"),
    *("text_match", "contains", "is_empty"),
)
TEXTS = ("", "a", "ab", "Ab", "a.b", ".", "$a", "2023", "2023.0", "1e1", "-0", "007", "ä\n", "^a|b*", "true")
SCALARS = st.one_of(
    st.booleans(),
    st.sampled_from((0, 1, -1, 10, 2023, 2**53 + 1, -(2**63), 2**63 - 1)),
    st.sampled_from((0.0, -0.0, 1.0, 0.5, 2023.0, float(2**53), 1e18)),
    st.sampled_from(TEXTS),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3),
)
ELEMENTS = st.one_of(SCALARS, st.none(), st.just([1]), st.just({"a": 1}))
VALUES = st.one_of(SCALARS, st.none(), st.lists(ELEMENTS, max_size=3), st.sampled_from(({}, {"year": 1})))
METADATA = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4)
CONDITIONS = st.sampled_from(("and", "or", None))
FILTERS = st.builds(
    MetadataFilter,
    key=st.sampled_from([key for key in KEYS if key]),
    value=st.one_of(SCALARS, st.none(), st.lists(SCALARS, max_size=3)),
    operator=st.sampled_from(OPERATORS),
)
NESTED = st.recursive(
    st.builds(MetadataFilters, filters=st.lists(FILTERS, max_size=3), condition=CONDITIONS),
    lambda inner: st.builds(
        MetadataFilters, filters=st.lists(FILTERS | inner, max_size=3), condition=CONDITIONS
    ),
    max_leaves=5,
)


# --- the rules in plain Python ------------------------------------------------------------------------------


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(one: Any, two: Any) -> bool:
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(same, one, two))
    if is_number(one) and is_number(two):
        return bool(one == two)
    return type(one) is type(two) and bool(one == two)


def says(text: str, number: float) -> bool:
    """Tell whether a text says a number, as JSON would."""
    if text.lstrip("-")[:1] == "0" and text.lstrip("-")[1:2].isdigit():
        return False
    if not text.lstrip("-")[:1].isdigit() or text.startswith("--") or not text.isascii():
        return False
    try:
        return int(text) == number
    except ValueError:
        pass
    try:
        return float(text) == number and text[-1].isdigit() and "_" not in text
    except ValueError:
        return False


def alike(one: Any, two: Any) -> bool:
    """Tell whether values are equal, where a text that says a number equals it."""
    if isinstance(one, str) and is_number(two):
        return says(one, two)
    if is_number(one) and isinstance(two, str):
        return says(two, one)
    return same(one, two)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def compares(operator: str, have: Any, want: Any) -> bool:
    if not ((is_number(have) and is_number(want)) or (isinstance(have, str) and isinstance(want, str))):
        return False
    return bool({">": have > want, "<": have < want, ">=": have >= want, "<=": have <= want}[operator])


def listing(operator: str, have: Any, want: list[Any]) -> bool:
    if operator == "in":
        return any(alike(have, one) for one in want)
    if not isinstance(have, list):
        return False
    every = [any(alike(element, one) for element in have) for one in want]
    return any(every) if operator == "any" else all(every)


def holds(operator: FilterOperator, metadata: dict[str, Any], key: str, want: Any) -> bool:
    if operator in ("!=", "nin"):
        return not holds("==" if operator == "!=" else "in", metadata, key, want)
    if operator == "is_empty":
        return metadata.get(key) is None or same(metadata[key], "") or same(metadata[key], [])
    if key not in metadata:
        return False
    have = metadata[key]
    if operator in ORDERS:
        return compares(operator, have, want)
    if operator in COERCING:
        return listing(operator, have, listed(want))
    if operator == "==":
        return same(have, want)
    within = isinstance(have, str) and isinstance(want, str) and want in have
    if operator == "text_match":
        return within
    element = isinstance(have, list) and not isinstance(want, list | None)
    return within or (element and any(same(one, want) for one in have))


def passes(filters: MetadataFilters, metadata: dict[str, Any]) -> bool:
    results = [
        passes(inner, metadata)
        if isinstance(inner, MetadataFilters)
        else holds(inner.operator, metadata, inner.key, inner.value)
        for inner in filters.filters
    ]
    return not results or (any(results) if filters.condition == "or" else all(results))


# --- against the database -----------------------------------------------------------------------------------


@pytest.fixture
def rows(mongod_url: str) -> Iterator[Rows]:
    with MongoClient[dict[str, Any]](mongod_url) as client:
        yield client[f"filters_{new()[:8]}"].documents
        # one collection for all examples, each under a batch of its own


def found(rows: Rows, all_metadata: list[dict[str, Any]], filters: MetadataFilters) -> list[int]:
    rows.delete_many({})
    if all_metadata:
        rows.insert_many({"_id": i, "facts": facts_of(m)} for i, m in enumerate(all_metadata))
    return sorted(row["_id"] for row in rows.find({"$and": [{}, to_query(filters)]}))


def one(key: str, operator: FilterOperator, value: Any) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(METADATA, max_size=8), NESTED)
def test_the_database_finds_what_the_rules_say(
    rows: Rows, all_metadata: list[dict[str, Any]], filters: MetadataFilters
) -> None:
    expected = [i for i, metadata in enumerate(all_metadata) if passes(filters, metadata)]
    assert found(rows, all_metadata, filters) == expected


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(VALUES, min_size=1, max_size=8), FILTERS)
def test_each_operator_by_itself(rows: Rows, values: list[Any], filter_: MetadataFilter) -> None:
    all_metadata: list[dict[str, Any]] = [{}, *({filter_.key: value} for value in values)]
    filters = MetadataFilters(filters=[filter_])
    expected = [i for i, metadata in enumerate(all_metadata) if passes(filters, metadata)]
    assert found(rows, all_metadata, filters) == expected


SHELF: list[dict[str, Any]] = [
    {"year": 2023, "tags": ["blue", "2"], "title": "Rules of 2023 (draft)"},
    {"year": "2023", "tags": [2, True], "title": ""},
    {"year": True, "tags": [], "title": None},
    {"year": 2024.5, "tags": "blue", "title": "rules"},
    {},
]


@pytest.mark.parametrize(
    ("key", "operator", "value", "expected"),
    [
        ("year", "==", 2023, [0]),
        ("year", "==", "2023", [1]),
        ("year", "==", True, [2]),
        ("year", "==", 1, []),
        ("year", "!=", 2023, [1, 2, 3, 4]),
        ("year", ">", 2000, [0, 3]),
        ("year", ">=", "2023", [1]),
        ("year", "<", 2024, [0]),
        ("year", "<=", "a", [1]),
        ("year", "<", True, []),
        ("year", "in", ["2023"], [0, 1]),
        ("year", "in", [2023, True], [0, 1, 2]),
        ("year", "in", ["02023", "+2023"], []),
        ("year", "in", [], []),
        ("year", "nin", ["2023"], [2, 3, 4]),
        ("year", "nin", [], [0, 1, 2, 3, 4]),
        ("tags", "any", ["2", "red"], [0, 1]),
        ("tags", "any", [], []),
        ("tags", "all", ["blue", 2], [0]),
        ("tags", "all", [], [0, 1, 2]),
        ("tags", "contains", "2", [0]),
        ("tags", "contains", "lu", [3]),
        ("tags", "contains", True, [1]),
        ("tags", "==", ["blue", "2"], [0]),
        ("tags", "==", ["blue"], []),
        ("tags", "is_empty", None, [2, 4]),
        ("title", "text_match", "ules", [0, 3]),
        ("title", "text_match", "Rules", [0]),
        ("title", "text_match", "(draft)", [0]),
        ("title", "text_match", ".*", []),
        ("title", "is_empty", None, [1, 2, 4]),
        ("title", "==", None, [2]),
    ],
)
def test_what_an_operator_finds(
    rows: Rows, key: str, operator: FilterOperator, value: Any, expected: list[int]
) -> None:
    assert found(rows, SHELF, one(key, operator, value)) == expected
    assert [i for i, metadata in enumerate(SHELF) if holds(operator, metadata, key, value)] == expected


def test_the_longest_text_that_filters_take_is_searched(rows: Rows) -> None:
    for text in (".(\n\t " * 1_333, "😀" * 8_000):
        shelf = [{"title": f"x{text}x"}, {"title": text[:-1]}]
        assert found(rows, shelf, one("title", "text_match", text)) == [0]
        assert found(rows, shelf, one("title", "contains", text)) == [0]


def test_the_most_filters_in_the_deepest_groups_are_taken(rows: Rows) -> None:
    years: list[Any] = list(range(20))
    one_ = MetadataFilter(key="year", value=years, operator="all")
    filters = MetadataFilters(filters=[one_] * 100)
    for _ in range(7):
        filters = MetadataFilters(filters=[filters], condition="or")
    RetrievalParams(search_filters=filters)
    assert found(rows, [{"year": years}, {"year": [1]}], filters) == [0]
    with pytest.raises(ValidationError, match="nested deeper than 8"):
        RetrievalParams(search_filters=MetadataFilters(filters=[filters]))
    with pytest.raises(ValidationError, match="more than 2000 values"):
        RetrievalParams(search_filters=MetadataFilters(filters=[one_, *filters.filters]))


@pytest.mark.parametrize("value", ["a\0", "\ud800", 2**63, "x" * 8_001, float("inf"), [None], {}])
def test_what_the_database_cannot_look_for_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        one("year", "==", value)
