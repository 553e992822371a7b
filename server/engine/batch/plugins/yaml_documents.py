"""Read YAML of strangers: aliases and merges cost what they come to, and time is bounded.

ruamel reads the text into nodes, which takes time that grows with the text alone. Its constructor is used for
single scalars only: it writes merges (`<<`) out without any bound, so that 1 KB can keep it busy for good.
"""

import datetime
import math
import time
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from server.engine.batch.plugins.plain_values import MAX_DEPTH, MAX_TEXT, MAX_VALUES, TooMuch, clean, number

MAX_NODES = 200_000  # as written: 140 MB and some seconds while they are read
MAX_NUMBER = 4_000  # characters; some notations take quadratic time
TAG = "tag:yaml.org,2002:"
MERGE = f"{TAG}merge"
LISTS = {f"{TAG}{name}" for name in ("seq", "omap", "pairs")}
MAPS = {f"{TAG}{name}" for name in ("map", "set")}
THROWN = (  # by ruamel, for text that it did not expect
    YAMLError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    NameError,
)


class Unreadable(Exception):
    """Says that a text is no YAML, and in which line (from 1) if that is known."""

    def __init__(self, line: int | None = None) -> None:
        self.line = line
        super().__init__(line)


class TooSlow(Exception):
    """Says that a text takes too long to read."""


def read_yaml(text: str, *, seconds: float, nodes: int = MAX_NODES) -> object:
    """Return what a YAML document holds, with text for keys and JSON's types only.

    Blocks for so many seconds at most, and reads so many nodes (keys and values). Raises Unreadable, TooSlow,
    TooMuch, or RecursionError.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = MAX_DEPTH
    yaml.Composer, yaml.Constructor = _Composer, _Constructor
    yaml.composer.deadline = time.monotonic() + seconds
    yaml.composer.left = nodes
    yaml.composer.warn_double_anchors = False
    try:
        return yaml.load(text)
    except THROWN as error:
        raise _unreadable(error) from error


class _Size(NamedTuple):
    values: int
    text: int
    height: int


class _Composer(Composer):
    """Composes so many nodes at most, until a deadline."""

    deadline = math.inf
    left = MAX_NODES

    def compose_node(self, parent: Any, index: Any) -> Any:
        if time.monotonic() >= self.deadline:
            raise TooSlow
        self.left -= 1
        if self.left < 0:
            raise TooMuch
        return super().compose_node(parent, index)


class _Constructor(SafeConstructor):
    """Makes plain values of the nodes of a document."""

    def construct_document(self, node: Any) -> Any:
        _Sizes().of(node)
        return _Values(self).value(node)


class _Sizes:
    """Counts what nodes come to when all aliases and merges are written out, looking at each node once."""

    def __init__(self) -> None:
        self._known: dict[int, _Size | None] = {}

    def of(self, node: Node) -> _Size:
        """Return the size of a node, keys and values counting one each; raises TooMuch above what may be."""
        if id(node) in self._known:
            known = self._known[id(node)]
            if known is None:  # it holds itself
                raise TooMuch
            return known
        self._known[id(node)] = None
        size = self._known[id(node)] = self._counted(node)
        if size.values > MAX_VALUES or size.text > MAX_TEXT or size.height > MAX_DEPTH:
            raise TooMuch
        return size

    def _counted(self, node: Node) -> _Size:
        if isinstance(node, ScalarNode):
            return _Size(1, len(node.value), 0)
        nodes = chain.from_iterable(node.value) if isinstance(node, MappingNode) else node.value
        values, text, height = 1, 0, -1
        for size in map(self.of, nodes):
            values += size.values
            text += size.text
            height = max(height, size.height)
        return _Size(values, text, height + 1)


class _Values:
    """Makes values of nodes, anew for each use: the work is as much as what they come to."""

    def __init__(self, constructor: SafeConstructor) -> None:
        self._scalar_of = constructor.construct_object
        self._scalars: dict[int, Any] = {}

    def value(self, node: Node) -> Any:
        """Return the value of a node; the first of equal keys counts."""
        if isinstance(node, ScalarNode):
            if id(node) not in self._scalars:
                self._scalars[id(node)] = self._read(node)
            return self._scalars[id(node)]
        if isinstance(node, SequenceNode) and node.tag in LISTS:
            return [self.value(item) for item in node.value]
        if isinstance(node, MappingNode) and node.tag in MAPS:
            mapping = self._mapping(node)
            return mapping if node.tag == f"{TAG}map" else sorted(mapping)
        raise _refused(node)

    def _mapping(self, node: MappingNode) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == MERGE:
                for other in _merges(value_node):
                    for key, value in self._mapping(other).items():
                        merged.setdefault(key, value)
            elif (key := self._key(key_node)) not in own:
                own[key] = self.value(value_node)
        return merged | own

    def _key(self, node: Node) -> str:
        key = self.value(node)
        if isinstance(key, bool) or key is None:
            return {True: "true", False: "false", None: "null"}[key]
        return str(tuple(key) if isinstance(key, list) else key)

    def _read(self, node: ScalarNode) -> Any:
        kind = str(node.tag).removeprefix(TAG)
        if kind in ("str", "merge", "value"):
            return clean(node.value)
        if kind not in ("null", "bool", "int", "float", "binary", "timestamp"):
            raise _refused(node)
        if kind in ("int", "float") and len(node.value) > MAX_NUMBER:
            raise _refused(node)
        try:
            if kind == "float" and ":" not in node.value:
                return _plain(_float(node.value), written=node.value)
            return _plain(self._scalar_of(node), written=node.value)
        except THROWN as error:
            raise _refused(node) from error


def _merges(node: Node) -> Iterator[MappingNode]:
    for other in node.value if isinstance(node, SequenceNode) else [node]:
        if not isinstance(other, MappingNode):
            raise _refused(node)
        yield other


def _float(text: str) -> float:
    """Return a number as ruamel does, which would print a warning with text of the document for some."""
    return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))


def _plain(value: object, *, written: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return number(value, written=written)
    return value.isoformat() if isinstance(value, datetime.date) else str(value)


def _refused(node: Node) -> Unreadable:
    return Unreadable(node.start_mark.line + 1)


def _unreadable(error: Exception) -> Unreadable:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    return Unreadable(mark.line + 1 if mark else None)
