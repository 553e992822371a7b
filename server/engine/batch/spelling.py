"""Finds what is written almost right in a job, so that a mistake in typing does not turn a test green."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from pydantic import BaseModel

from schemas.batch import (
    BatchConfig,
    BatchRequest,
    Llm,
    Permutation,
    PluginGroup,
    PluginRef,
    TestCase,
    ToolSelector,
    inner,
)
from schemas.envelope import Problem
from server.engine.batch.plugins.plugin import METHODS
from server.engine.spelling import NearNames

Loc = list[str | int]
MOST_LISTED = 10
WRAPPERS = frozenset({"permutation", "test_case", "plugin_group", "plugin"})
# the objects inside of each, with the wrapper of those that are items of a list
PARTS: dict[type[BaseModel], tuple[tuple[str, type[BaseModel], str | None], ...]] = {
    BatchRequest: (
        ("config", BatchConfig, None),
        ("test_plugin", PluginRef, None),
        ("plugin_groups", PluginGroup, "plugin_group"),
        ("permutations", Permutation, "permutation"),
        ("test_cases", TestCase, "test_case"),
    ),
    PluginGroup: (("plugins", PluginRef, "plugin"),),
    Permutation: (("llm", Llm, None), ("tool_selector", ToolSelector, None)),
    TestCase: (("test_plugin", PluginRef, None),),
}
KNOWN = {
    model: WRAPPERS.union(model.model_fields)
    for model in (*PARTS, *(part for parts in PARTS.values() for _, part, _ in parts))
}


class Spelling:
    """Finds unknown fields of a job whose names are near to those of known ones."""

    def __init__(self) -> None:
        self._names = NearNames()

    def problems(self, raw: dict[str, Any]) -> Iterator[Problem]:
        """Yield the fields that are known under another name; other unknown ones are left alone."""
        yield from self._of(raw, BatchRequest, [])

    def _of(self, value: object, model: type[BaseModel], loc: Loc) -> Iterator[Problem]:
        if not isinstance(value, dict):
            return
        known = KNOWN[model]
        for name in () if value.keys() <= known else value:
            if name not in known and (near := self._names.meant(name, model)):
                msg = f"unknown field {name}; is {near} meant?"
                yield Problem(loc=[*loc, name], msg=msg, type="unknown_field")
        for field, part, wrapper in PARTS.get(model, ()):
            inside = value.get(field)
            if wrapper is None:
                yield from self._of(inside, part, [*loc, field])
            elif isinstance(inside, list):
                for index, item in enumerate(inside):
                    yield from self._of(inner(item, wrapper), part, [*loc, field, index])


def is_method(text: str) -> bool:
    """Tell whether a test case may expect a method, or says that it does not matter."""
    return text.strip().lower() in (*METHODS, "", "none")


def which(names: Iterable[str]) -> str:
    """Return a half sentence that says which names there are, the first ten of them."""
    first = list(islice(names, MOST_LISTED + 1))
    if not first:
        return "there is none"
    more = ["…"] if len(first) > MOST_LISTED else []
    shown = [short(name) for name in first[:MOST_LISTED]]
    return f"there {'is' if len(first) == 1 else 'are'} {', '.join(shown + more)}"


def short(text: str) -> str:
    """Return a text of others as it fits into a sentence."""
    return text if len(text) <= 80 else f"{text[:79]}…"
