"""Schemas of models and types under names that are a document's own."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from pydantic import TypeAdapter

from server.transports.documents.told import Each, Many, Mode, Numbered, Page, Row, Written

Schema = dict[str, Any]
REF = "#/components/schemas/"
TEXT_OR_NULL: Schema = {"anyOf": [{"type": "string"}, {"type": "null"}]}


class Schemas:
    """Gives types their schemas.

    How models are called depends on all of them, so that a document is made twice: the first time types
    are noted, the second time they are named.
    """

    def __init__(self) -> None:
        self._noted: dict[tuple[int, Mode], Any] = {}
        self._named: dict[tuple[int, Mode], Schema] = {}
        self.components: dict[str, Schema] = {}

    def settle(self) -> None:
        """Name everything that was noted."""
        inputs = [(key, key[1], TypeAdapter(kind)) for key, kind in self._noted.items()]
        named, definitions = TypeAdapter.json_schemas(inputs, ref_template=REF + "{model}")
        self._named = {key: named[key, key[1]] for key in self._noted}
        self.components = dict(definitions.get("$defs", {}))

    def of(self, kind: Any, words: dict[str, str] | None = None, *, mode: Mode = "serialization") -> Schema:
        """Return the schema of what is told; words of an address choose."""
        if isinstance(kind, Each):
            return self.of(kind.options[(words or {})[kind.part]], words, mode=mode)
        if isinstance(kind, Page):
            return self._page(kind, words)
        if isinstance(kind, Numbered):
            neighbours: Schema = dict.fromkeys(("next", "previous"), TEXT_OR_NULL)
            items = {"type": "array", "items": self.of(kind.item, words)}
            return closed({"count": {"type": "integer"}, **neighbours, "results": items})
        if isinstance(kind, Many):
            return {"type": "array", "items": self.of(kind.item, words, mode=mode)}
        if isinstance(kind, Row):
            return self._row(kind)
        if isinstance(kind, Written):
            written: Schema = self._written(self._leaf(kind.model, "validation"))
            return written
        return self._leaf(kind, mode)

    def shape(self, kind: Any, *, mode: Mode = "serialization") -> Schema:
        """Return a copy of a type's schema itself, where `of` may return a reference."""
        schema = self._leaf(kind, mode)
        while "$ref" in schema:
            schema = self.components[str(schema["$ref"]).removeprefix(REF)]
        return deepcopy(schema)

    def named(self, name: str, make: Callable[[], Schema]) -> Schema:
        """Return a reference to a schema of a document's own, which is made if there is none yet."""
        if name not in self.components:
            self.components[name] = make()
        return {"$ref": REF + name}

    def _leaf(self, kind: Any, mode: Mode) -> Schema:
        key: tuple[int, Mode] = (id(kind), mode)
        self._noted[key] = kind
        return self._named.get(key, {})

    def _page(self, kind: Page, words: dict[str, str] | None) -> Schema:
        page = closed(
            {"items": {"type": "array", "items": self.of(kind.item, words)}, "next_cursor": TEXT_OR_NULL}
        )
        return page if kind.plus is None else joined(page, self.shape(kind.plus))

    def _written(self, schema: Any) -> Any:
        """Return a schema in which no object has to have an id, with those that it refers to."""
        if isinstance(schema, list):
            return [self._written(part) for part in schema]
        if isinstance(schema, str) and schema.startswith(REF):
            name = schema.removeprefix(REF)
            found = self._written(self.components[name])
            same = found == self.components[name]
            return schema if same else self.named(f"{name}Written", lambda: found)["$ref"]
        if not isinstance(schema, dict):
            return schema
        made = {name: self._written(part) for name, part in schema.items()}
        if "id" in schema.get("properties", {}) and "id" in schema.get("required", ()):
            made["required"] = [name for name in schema["required"] if name != "id"]
        return made

    def _row(self, kind: Row) -> Schema:
        shape = self.shape(kind.model)
        plus = self.shape(kind.plus) if kind.plus is not None else {}

        def make() -> Schema:
            found = joined(shape, plus)
            for name in kind.without:
                del found["properties"][name]
            optional = set(found["required"]) if kind.optional is None else {*kind.without, *kind.optional}
            always = {"id", "name", *plus.get("required", ())}
            found["required"] = [n for n in found["required"] if n not in optional or n in always]
            return {**found, "title": kind.name}

        if not shape:
            return {}  # noted
        return self.named(kind.name, make)


def closed(properties: Schema) -> Schema:
    """Return the schema of an object that has all these properties."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def joined(one: Schema, other: Schema) -> Schema:
    """Return the schema of an object that has the properties of both."""
    if not (one and other):
        return dict(one or other)
    return {
        **one,
        "properties": {**one.get("properties", {}), **other.get("properties", {})},
        "required": list(dict.fromkeys([*one.get("required", ()), *other.get("required", ())])),
    }
