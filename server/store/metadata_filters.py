"""Filters on the metadata of documents, as queries of the database.

Keys of metadata may hold dots and dollars, so a document keeps a list of facts beside its metadata, one for
each key: `k` the key; `v` its value unless that is a list or an object; `n` the number that a text says;
`e` the plain elements of a list, `en` the numbers that its texts say, and `c` how many elements it has.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from schemas.retrieval import FilterOperator, MetadataFilter, MetadataFilters

Scalar = bool | int | float | str
Query = dict[str, Any]
NOTHING: Query = {"$nor": [{}]}
_NULL = {"v": {"$type": "null"}}  # null by itself is found where there is no value, too
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,39})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_LARGEST = 2**63
_ORDERS = {">": "$gt", "<": "$lt", ">=": "$gte", "<=": "$lte"}


def facts_of(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is stored of metadata so that the queries of `to_query` find it."""
    return [{"k": key, **_fact(value)} for key, value in metadata.items()]


def to_query(filters: MetadataFilters | None) -> Query:
    """Return a query for documents with `facts`; it finds those whose metadata passes the filters.

    Nothing is coerced, but that in, nin, any and all take a number and a text that says it as equal. A
    boolean is no number. `!=` and `nin` are the opposites of `==` and `in`, so they find documents without
    the key. Groups without filters let everything pass.
    """
    if filters is None or not filters.filters:
        return {}
    queries = [to_query(f) if isinstance(f, MetadataFilters) else _condition(f) for f in filters.filters]
    return {"$or" if filters.condition == "or" else "$and": queries}


def number_of(text: str) -> int | float | None:
    """Return the number that a text says, as JSON would; None for another text."""
    if not _NUMBER.fullmatch(text):
        return None
    if text.lstrip("-").isdigit() and -_LARGEST <= int(text) < _LARGEST:
        return int(text)
    return float(text)


def _fact(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        plain = [element for element in value if not isinstance(element, list | dict)]
        return {"c": len(value), "e": plain, "en": _said(plain)}
    if isinstance(value, dict):
        return {}
    number = number_of(value) if isinstance(value, str) else None
    return {"v": value} if number is None else {"v": value, "n": number}


def _said(elements: Iterable[Any]) -> list[int | float]:
    numbers = (number_of(element) for element in elements if isinstance(element, str))
    return [number for number in numbers if number is not None]


def _condition(filter_: MetadataFilter) -> Query:
    operator = filter_.operator
    if operator in ("!=", "nin"):
        return {"$nor": [_found(filter_, "==" if operator == "!=" else "in")]}
    if operator == "is_empty":
        empty = [_NULL, {"v": ""}, {"c": 0}]
        return {"$or": [{"facts.k": {"$ne": filter_.key}}, _has(filter_.key, {"$or": empty})]}
    return _found(filter_, operator)


def _found(filter_: MetadataFilter, operator: FilterOperator) -> Query:
    """Return the query for documents that have the key with a value that fits."""
    fits = _fitting(operator, filter_.value)
    return NOTHING if fits is None else _has(filter_.key, fits)


def _has(key: str, fact: Query) -> Query:
    return {"facts": {"$elemMatch": {"k": {"$eq": key}, **fact}}}


def _fitting(operator: FilterOperator, value: Scalar | list[Scalar] | None) -> Query | None:
    """Return what a fact must be to fit; None when none can."""
    match operator:
        case "==":
            return _equal(value)
        case ">" | "<" | ">=" | "<=":
            return _ordered(_ORDERS[operator], value)
        case "in":
            return _one_of(_listed(value), field="v", said="n")
        case "any":
            return _one_of(_listed(value), field="e", said="en")
        case "all":
            every = [_one_of([one], field="e", said="en") for one in _listed(value)]
            return {"$and": [{"c": {"$exists": True}}, *every]}
        case "contains":
            return _contains(value)
        case "text_match":
            return _substring(value) if isinstance(value, str) else None
        case "!=" | "nin" | "is_empty":
            raise AssertionError(f"{operator} is no condition on a fact that is there")
    assert_never(operator)


def _equal(value: Scalar | list[Scalar] | None) -> Query:
    if value is None:
        return _NULL
    if isinstance(value, list):
        return {"e": {"$eq": value}, "c": len(value)}
    return {"v": {"$eq": value}}


def _ordered(comparison: str, value: Scalar | list[Scalar] | None) -> Query | None:
    """Compare numbers with numbers and texts with texts, which the database does by itself."""
    comparable = isinstance(value, int | float | str) and not isinstance(value, bool)
    return {"v": {comparison: value}} if comparable else None


def _one_of(values: list[Scalar], *, field: str, said: str) -> Query:
    """Return what finds one of the values, also where one is a number and the other a text that says it."""
    numbers = [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
    texts_say = _said(values)
    return {"$or": [{field: {"$in": [*values, *texts_say]}}, {said: {"$in": numbers}}]}


def _contains(value: Scalar | list[Scalar] | None) -> Query | None:
    if value is None or isinstance(value, list):
        return None
    element = {"e": {"$eq": value}}
    return {"$or": [element, _substring(value)]} if isinstance(value, str) else element


def _substring(text: str) -> Query:
    return {"v": {"$type": "string", "$regex": re.escape(text)}}


def _listed(value: Scalar | list[Scalar] | None) -> list[Scalar]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]
