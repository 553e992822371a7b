"""The reference of events: every field with its type, limits and default, from the schemas."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel

from schemas.events import CLIENT_EVENTS, EXTRA_CLIENT_EVENTS, EXTRA_SERVER_EVENTS, SERVER_EVENTS

Schema = dict[str, Any]
SIMPLE = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
FORMATS = {"uuid": "id", "date-time": "time"}


def client_page(names: Sequence[str], ack_of: Callable[[str], str]) -> str:
    """Return a section for each client event."""
    models = {**CLIENT_EVENTS, **EXTRA_CLIENT_EVENTS}
    return "\n\n".join(_section(name, models[name], ack=ack_of(name)) for name in names)


def server_page(names: Sequence[str]) -> str:
    """Return a section for each server event."""
    models = {**SERVER_EVENTS, **EXTRA_SERVER_EVENTS}
    return "\n\n".join(_section(name, models[name]) for name in names)


def _section(name: str, model: type[BaseModel], *, ack: str | None = None) -> str:
    said = " ".join((model.__doc__ or "").split())
    schema = model.model_json_schema()
    needed = schema.get("required", [])
    parts = schema.get("$defs", {})
    found = sorted(schema.get("properties", {}).items(), key=lambda item: item[0] == "client_event_id")
    rows = [_field(f, s, needed=f in needed, parts=parts) for f, s in found]
    lines = [f"### {name}", "", said, ""]
    lines += rows or ["- no fields"]
    if ack is not None:
        lines += ["", f"Ack: {ack}" if ack != "–" else "Ack: nothing beside `success`"]
    return "\n".join(lines)


def _field(name: str, schema: Schema, *, needed: bool, parts: Schema) -> str:
    default = schema.get("default")
    end = "" if needed else ", optional" if default is None else f", `{json.dumps(default)}` by default"
    return f"- `{name}`: {phrase(schema, parts)}{end}"


def phrase(schema: Schema, parts: Schema) -> str:
    """Say in words what a JSON schema takes; `parts` are its $defs."""
    if "$ref" in schema:
        return phrase(parts[schema["$ref"].rpartition("/")[2]], parts)
    if "anyOf" in schema:
        kinds = [phrase(option, parts) for option in schema["anyOf"] if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_plural(phrase(schema.get('items', {}), parts))}{_limits(schema, 'Items', '')}"
    if kind == "object":
        inner = ", ".join(f"`{name}`" for name in schema.get("properties", {}))
        if not inner and isinstance(schema.get("additionalProperties"), dict):
            return f"object from ids to {_plural(phrase(schema['additionalProperties'], parts))}"
        return f"object with {inner}" if inner else "object"
    return SIMPLE.get(kind or "", "any value") + _limits(schema, "Length", " characters")


def _plural(what: str) -> str:
    return {"id": "ids", "object": "objects", "text": "texts"}.get(what, what)


def _limits(schema: Schema, what: str, unit: str) -> str:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if least is None and most is None:
        return ""
    if most is None:
        return f", at least {least:,}{unit}"
    return f", {least or 0:,}–{most:,}{unit}"
