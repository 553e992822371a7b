"""The fields of a batch job, from its schema."""

import json
from collections.abc import Iterator

from schemas.batch import BatchRequest
from server.cli.event_pages import Schema, phrase


def request_rows() -> list[list[str]]:
    """Return a row for each field of a job: where it stands, what it takes, and what holds without it."""
    schema = BatchRequest.model_json_schema()
    return list(_rows(schema, parts=schema["$defs"], where="", optional=False))


def _rows(schema: Schema, *, parts: Schema, where: str, optional: bool) -> Iterator[list[str]]:
    for name, field in schema["properties"].items():
        needed = name in schema.get("required", []) and not optional
        inner, many = _inside(field, parts)
        place = f"{where}{name}{'[]' if many and inner else ''}"
        if inner is None:
            yield [f"`{place}`", _taken(field, parts), "needed" if needed else _default(field)]
        else:
            yield from _rows(inner, parts=parts, where=f"{place}.", optional="anyOf" in field)


def _inside(field: Schema, parts: Schema) -> tuple[Schema | None, bool]:
    """Return the object that a field holds, one or many of; None when it is a plain value."""
    many = field.get("type") == "array"
    options = [field["items"]] if many else field.get("anyOf", [field])
    names = [option["$ref"].rpartition("/")[2] for option in options if "$ref" in option]
    found = parts[names[0]] if names else {}
    return (found, many) if "properties" in found else (None, many)


def _taken(field: Schema, parts: Schema) -> str:
    """Say what a field takes, with the bounds of a number."""
    bounds = next((o for o in field.get("anyOf", [field]) if "minimum" in o and "maximum" in o), None)
    span = f", {bounds['minimum']:,} to {bounds['maximum']:,}" if bounds else ""
    return phrase(field, parts) + span


def _default(field: Schema) -> str:
    default = field.get("default")
    return "–" if default is None or default == "" else f"`{json.dumps(default)}`"
