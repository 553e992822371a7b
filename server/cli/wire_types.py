"""The types of the page: every event of the wire in TypeScript, from the schemas."""

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from schemas.events import CLIENT_EVENTS, EXTRA_CLIENT_EVENTS, EXTRA_SERVER_EVENTS, SERVER_EVENTS

WIRE_TYPES = "console/src/wire.ts"
HEAD = "// Made from the schemas by: python -m server docs"
SIMPLE = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
PLACE = ("room?: string", "offset?: number", "at?: number")
Schema = dict[str, Any]
Mode = Literal["validation", "serialization"]


def wire_types() -> str:
    """Return the page's file of types: an interface for each payload, and one from event names to them.

    A field is optional when it has a default; what the server sends may also carry its place in a room.
    """
    parts: dict[str, str] = {}
    client = _events({**CLIENT_EVENTS, **EXTRA_CLIENT_EVENTS}, parts, mode="validation")
    server = _events({**SERVER_EVENTS, **EXTRA_SERVER_EVENTS}, parts, mode="serialization")
    maps = [_interface("ClientEvents", client), _interface("ServerEvents", server)]
    return "\n\n".join([HEAD, *(parts[name] for name in sorted(parts)), *maps]) + "\n"


def _events(models: Mapping[str, type[BaseModel]], parts: dict[str, str], *, mode: Mode) -> list[str]:
    """Add the interfaces of events and of what stands in them; return the lines that name them."""
    place = PLACE if mode == "serialization" else ()
    for model in models.values():
        schema = model.model_json_schema(mode=mode)
        for name, part in schema.get("$defs", {}).items():
            _add(parts, name, _declaration(name, part))
        fields = [*_fields(schema), *(p for p in place if p.partition("?")[0] not in schema["properties"])]
        _add(parts, model.__name__, _interface(model.__name__, fields))
    return [f"{name}: {model.__name__}" for name, model in models.items()]


def _add(parts: dict[str, str], name: str, declaration: str) -> None:
    if parts.setdefault(name, declaration) != declaration:
        raise ValueError(f"two different schemas are called {name}")


def _declaration(name: str, schema: Schema) -> str:
    if "properties" in schema:
        return _interface(name, _fields(schema))
    return f"export type {name} = {_type(schema)};"


def _interface(name: str, fields: list[str]) -> str:
    return "\n".join([f"export interface {name} {{", *(f"  {field};" for field in fields), "}"])


def _fields(schema: Schema) -> list[str]:
    needed = schema.get("required", [])
    found = schema.get("properties", {})
    return [f"{name}{'' if name in needed else '?'}: {_type(field)}" for name, field in found.items()]


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(dict.fromkeys(_type(option) for option in options))
    if "enum" in schema or "const" in schema:
        return " | ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type")
    if schema.get("format") == "binary":
        return "ArrayBuffer"
    if kind == "array":
        inner = _type(schema.get("items", {}))
        return f"({inner})[]" if "|" in inner else f"{inner}[]"
    if kind == "object":
        return _object(schema)
    return SIMPLE.get(kind or "", "unknown")


def _object(schema: Schema) -> str:
    if schema.get("properties"):
        return "{ " + "; ".join(_fields(schema)) + " }"
    inner = schema.get("additionalProperties")
    return f"Record<string, {_type(inner) if isinstance(inner, dict) else 'unknown'}>"
