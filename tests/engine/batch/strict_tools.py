"""Looks at the JSON schemas of tools as strictly as the strictest model endpoint."""

from collections.abc import Iterator
from typing import Any

from schemas.envelope import JsonObject

_TYPES = {"string", "number", "integer", "boolean", "array", "object", "null"}
_NOT_ON_TOP = ("anyOf", "oneOf", "allOf", "not", "enum")
_KNOWN = {"title", "description", "format", "pattern", "type", "enum", "const", "default", "properties"}
_KNOWN |= {"required", "additionalProperties", "items", "uniqueItems", "anyOf", "oneOf", "not"}
_KNOWN |= {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_KNOWN |= {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}


def problems(schema: JsonObject) -> list[str]:
    """Return what a strict endpoint would refuse in the schema of a tool's arguments."""
    found = [f"{key} at the top" for key in _NOT_ON_TOP if key in schema]
    if schema.get("type") != "object" or not isinstance(schema.get("properties"), dict):
        found.append("the arguments are no object")
    return [*found, *_inside(schema, "")]


def _inside(schema: Any, where: str) -> Iterator[str]:
    if not isinstance(schema, dict):
        yield f"{where} is no schema"
        return
    if unknown := schema.keys() - _KNOWN:
        yield f"{where} has {unknown}"
    yield from _types(schema, where)
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        yield f"{where} has properties or required of a wrong type"
        return
    if set(required) - properties.keys() or len(set(required)) != len(required):
        yield f"{where} requires what it does not have, or twice"
    for key, inner in _parts(schema):
        yield from _inside(inner, f"{where}/{key}")


def _parts(schema: JsonObject) -> Iterator[tuple[str, Any]]:
    yield from schema.get("properties", {}).items()
    yield from ((key, schema[key]) for key in ("items", "not") if key in schema)
    yield from ((key, inner) for key in ("anyOf", "oneOf") for inner in schema.get(key, []))
    if not isinstance(schema.get("additionalProperties", False), bool):
        yield "additionalProperties", schema["additionalProperties"]


def _types(schema: JsonObject, where: str) -> Iterator[str]:
    types = schema.get("type", [])
    named = [types] if isinstance(types, str) else types
    if not set(named) <= _TYPES:
        yield f"{where} has the types {named}"
    if "array" in named and "items" not in schema:
        yield f"{where} is an array of what?"
    if "enum" in schema and not schema["enum"]:
        yield f"{where} has no values"
    for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        if isinstance(schema.get(key, 0), bool):
            yield f"{where} has a flag for a limit"
