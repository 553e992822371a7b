"""Turn the schemas of OpenAPI documents into JSON schemas that stand alone, for the tools of models."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.envelope import JsonObject
from server.engine.batch.plugins.documents import References

MAX_VALUES = 1_000  # of one operation; what is deeper or more becomes "any object"
MAX_DEPTH = 16
_MIN_VALUES = 100
_ALL_VALUES = 100_000  # of all operations of a document

_TYPES = {"string", "number", "integer", "boolean", "array", "object", "null"}
_OTHER_TYPES = {"file": "string", "int": "integer", "float": "number", "double": "number", "bool": "boolean"}
_TEXTS = ("title", "description", "format", "pattern")
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_VALUES = ("enum", "const", "default")  # what stands here is data, not schemas
_ANY_OBJECT: JsonObject = {"type": "object"}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a schema stands: its document, and the references that led to it."""

    document: str
    trail: tuple[str, ...] = ()
    depth: int = 0

    def deeper(self) -> "_Place":
        return _Place(self.document, self.trail, self.depth + 1)


class ArgumentSchemas:
    """Expands the schemas of one operation.

    References are put in place and allOf is merged; recursion becomes "any object", and so does what is too
    deep or too much. Of OpenAPI's own words nullable is translated, the others are left out, and so are
    properties that only answers have. What breaks the rules of JSON schema is left out.
    """

    def __init__(self, references: References, *, share: int = 1) -> None:
        """Take the documents, and among how many operations their limit is shared."""
        self._references = references
        self._left = max(_MIN_VALUES, min(MAX_VALUES, _ALL_VALUES // share))

    def expand(self, schema: object, *, document: str) -> JsonObject:
        """Return a schema without references; raises Remote for one into a document not yet known."""
        expanded: JsonObject = _tidied(self._schema(schema, _Place(document)))
        return expanded

    def _schema(self, schema: object, place: _Place) -> JsonObject:
        self._left -= 1
        if not isinstance(schema, dict):
            return {}
        if self._left < 0 or place.depth > MAX_DEPTH:
            return _ANY_OBJECT if schema.keys() & {"$ref", "properties", "allOf"} else {}
        if "$ref" in schema:
            return self._referenced(schema, place)
        own = self._own(schema, place)
        parts = [self._schema(part, place.deeper()) for part in _list(schema.get("allOf"))]
        return _nullable(_merged([*parts, own]), schema)

    def _referenced(self, schema: JsonObject, place: _Place) -> JsonObject:
        target = self._references.follow(schema["$ref"], document=place.document)
        beside = self._own({key: value for key, value in schema.items() if key != "$ref"}, place)
        if target is None:
            return beside
        if target.address in place.trail:
            return _merged([_ANY_OBJECT, beside])
        inner = _Place(target.document, (*place.trail, target.address), place.depth + 1)
        return _nullable(_merged([self._schema(target.value, inner), beside]), schema)

    def _own(self, schema: JsonObject, place: _Place) -> JsonObject:
        own: JsonObject = {key: schema[key] for key in _TEXTS if isinstance(schema.get(key), str)}
        own |= {key: schema[key] for key in _COUNTS if type(schema.get(key)) is int}
        own |= _limits(schema)
        if types := _types(schema.get("type")):
            own["type"] = types
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            own["enum"] = schema["enum"]
        own |= {key: schema[key] for key in ("const", "default") if key in schema}
        if schema.get("uniqueItems") is True:
            own["uniqueItems"] = True
        for key in ("anyOf", "oneOf"):
            if alternatives := [self._schema(part, place.deeper()) for part in _list(schema.get(key))]:
                own[key] = alternatives
        if isinstance(schema.get("not"), dict):
            own["not"] = self._schema(schema["not"], place.deeper())
        return own | self._items(schema, place) | self._properties(schema, place)

    def _items(self, schema: JsonObject, place: _Place) -> JsonObject:
        types = _types(schema.get("type"))
        if "items" in schema or types == "array" or (isinstance(types, list) and "array" in types):
            return {"items": self._schema(schema.get("items"), place.deeper())}
        return {}

    def _properties(self, schema: JsonObject, place: _Place) -> JsonObject:
        own: JsonObject = {}
        given = schema.get("properties")
        if isinstance(given, dict):
            sent = {k: v for k, v in given.items() if not (isinstance(v, dict) and v.get("readOnly") is True)}
            own["properties"] = {k: self._schema(v, place.deeper()) for k, v in sent.items()}
            # `required: true` at a property is how an older draft, and many documents, say it
            loose = [k for k, v in sent.items() if isinstance(v, dict) and v.get("required") is True]
            hidden = given.keys() - sent.keys()
            required = [k for k in _list(schema.get("required")) if isinstance(k, str) and k not in hidden]
            own["required"] = list(dict.fromkeys([*required, *loose]))
        elif named := [k for k in _list(schema.get("required")) if isinstance(k, str)]:
            own["required"] = named
        additional = schema.get("additionalProperties")
        if isinstance(additional, bool):
            own["additionalProperties"] = additional
        elif isinstance(additional, dict):
            own["additionalProperties"] = self._schema(additional, place.deeper())
        return {key: value for key, value in own.items() if value != []}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _types(value: object) -> str | list[str] | None:
    named = [value] if isinstance(value, str) else _list(value)
    known = [_OTHER_TYPES.get(name.lower(), name.lower()) for name in named if isinstance(name, str)]
    types = [name for name in dict.fromkeys(known) if name in _TYPES]
    return types if len(types) > 1 else (types[0] if types else None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _limits(schema: JsonObject) -> JsonObject:
    """Return the limits of a number; until 3.0 an exclusive limit is a flag beside the limit."""
    limits = {key: schema[key] for key in _NUMBERS if _is_number(schema.get(key))}
    for flag, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if schema.get(flag) is True and limit in limits:
            limits[flag] = limits.pop(limit)
    return limits


def _nullable(schema: JsonObject, source: JsonObject) -> JsonObject:
    if source.get("nullable") is not True and source.get("x-nullable") is not True:
        return schema
    result = dict(schema)
    types = schema.get("type")
    if "anyOf" in schema and types is None:
        result["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    elif isinstance(types, str | list):
        result["type"] = list(dict.fromkeys([*([types] if isinstance(types, str) else types), "null"]))
        if "enum" in schema and None not in schema["enum"]:
            result["enum"] = [*schema["enum"], None]
    return result


def _merged(parts: list[JsonObject]) -> JsonObject:
    """Return what several schemas ask for together; of what contradicts, the last wins."""
    merged: JsonObject = {}
    for part in parts:
        rest = dict(part)
        for key, join in _JOINS.items():
            if key in merged and key in rest:
                rest[key] = join(merged[key], rest[key])
        merged |= rest
    return merged


def _join_objects(one: JsonObject, other: JsonObject) -> JsonObject:
    joined = dict(one)
    for key, value in other.items():
        joined[key] = _merged([one[key], value]) if key in one else value
    return joined


def _join_lists(one: list[Any], other: list[Any]) -> list[Any]:
    return [*one, *(item for item in other if item not in one)]


_JOINS: dict[str, Callable[[Any, Any], Any]] = {"properties": _join_objects, "required": _join_lists}


def _tidied(value: Any) -> Any:
    """Return a schema whose `required` names only properties that are there, at every level."""
    if isinstance(value, list):
        return [_tidied(item) for item in value]
    if not isinstance(value, dict):
        return value
    tidy: JsonObject = {}
    for key, item in value.items():
        if key == "properties":  # its keys are names, whatever they look like
            tidy[key] = {name: _tidied(inner) for name, inner in item.items()}
        else:
            tidy[key] = item if key in _VALUES else _tidied(item)
    if isinstance(tidy.get("required"), list):
        tidy["required"] = [name for name in tidy["required"] if name in tidy.get("properties", {})]
        if not tidy["required"]:
            del tidy["required"]
    return tidy


def as_object(schema: JsonObject) -> JsonObject | None:
    """Return an object schema with the properties of all its alternatives; None for anything else.

    What only some alternatives require is not required.
    """
    alternatives = [part for key in ("anyOf", "oneOf") for part in _list(schema.get(key))]
    flat = [as_object(part) for part in alternatives if part.get("type") != "null"]
    known = [part for part in flat if part is not None]
    properties = dict(schema.get("properties", {}))
    if len(known) < len(flat) and not properties:
        return None
    for part in known:
        properties = _join_objects(part["properties"], properties)
    if not properties and schema.get("type") != "object":
        return None
    all_known = bool(known) and len(known) == len(flat)
    always = [k for k in properties if all_known and all(k in part["required"] for part in known)]
    required = [k for k in dict.fromkeys([*_list(schema.get("required")), *always]) if k in properties]
    return {"properties": properties, "required": required}
