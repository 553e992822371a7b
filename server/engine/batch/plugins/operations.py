"""Turn the paths of an OpenAPI document into operations that models can call as functions."""

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.envelope import JsonObject
from server.engine.addresses import shown
from server.engine.batch.plugins.argument_schemas import ArgumentSchemas, as_object
from server.engine.batch.plugins.documents import References
from server.engine.batch.plugins.plugin import METHODS, Operation, Parameter, Place, Plugin
from server.engine.batch.plugins.servers import servers_of
from server.errors import BadRequest

MAX_NAME = 64
MAX_OPERATIONS = 5_000

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9-]+")
_TEMPLATE = re.compile(r"\{([^{}/]+)\}")
_PLACES: dict[str, Place] = {"path": "path", "query": "query", "header": "header", "cookie": "cookie"}
_SENT_ANYWAY = {"accept", "content-type", "authorization"}  # OpenAPI: such header parameters are ignored
_BODY_TYPES = ("application/json", "json", "application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An OpenAPI document, where it was found, and the documents that its references lead to."""

    document: JsonObject
    url: str
    references: References


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """An operation as it stands in a document; `home` is the document of its path item."""

    method: str
    path: str
    item: JsonObject
    body: JsonObject
    home: str


def read_operations(source: Source) -> list[Operation]:
    """Return the operations of a document in its order, each with a valid name, unique in the document.

    Raises Remote when a reference leads to a document that has to be added first.
    """
    operations: list[Operation] = []
    names: set[str] = set()
    all_found = list(_found(source))
    if len(all_found) > MAX_OPERATIONS:
        raise BadRequest(f"{shown(source.url)} has more than {MAX_OPERATIONS:,} operations: use a part of it")
    for found in all_found:
        name = unique_name(f"{found.method}_{found.path}", names)
        names.add(name)
        schemas = ArgumentSchemas(source.references, share=len(all_found))
        operations.append(_operation(found, name=name, source=source, schemas=schemas))
    return operations


def unique_name(text: str, taken: Container[str]) -> str:
    """Return a function name made of a text, that is not among those taken."""
    name = _NOT_IN_NAMES.sub("_", text).strip("_") or "operation"
    number, candidate = 1, name[:MAX_NAME]
    while candidate in taken:
        number += 1
        ending = f"_{number}"
        candidate = name[: MAX_NAME - len(ending)] + ending
    return candidate


def unique_names(plugins: Sequence[Plugin]) -> dict[str, tuple[Plugin, Operation]]:
    """Return the operations of several plugins by names unique among them, in the order of the plugins."""
    named: dict[str, tuple[Plugin, Operation]] = {}
    for plugin in plugins:
        for operation in plugin.operations:
            named[unique_name(operation.name, named)] = (plugin, operation)
    return named


def _found(source: Source) -> Iterator[_Found]:
    paths = source.document.get("paths")
    for path, given in paths.items() if isinstance(paths, dict) else ():
        if path.startswith("x-"):
            continue
        item, home = _resolved(given, home=source.url, references=source.references)
        for method in METHODS:
            body = item.get(method)
            if isinstance(body, dict):
                whole = path if path.startswith("/") else f"/{path}"
                yield _Found(method=method, path=whole, item=item, body=body, home=home)


def _resolved(value: object, *, home: str, references: References) -> tuple[JsonObject, str]:
    """Return an object and the document it stands in, with references followed; empty for anything else."""
    seen: set[str] = set()
    beside: JsonObject = {}
    while isinstance(value, dict) and "$ref" in value:
        beside = {**value, **beside}
        target = references.follow(value["$ref"], document=home)
        if target is None or target.address in seen:
            return {}, home
        seen.add(target.address)
        value, home = target.value, target.document
    beside.pop("$ref", None)
    return ({**value, **beside} if isinstance(value, dict) else {}), home


def _operation(found: _Found, *, name: str, source: Source, schemas: ArgumentSchemas) -> Operation:
    parameters = _Parameters(found, source, schemas).all()
    summary, description = (_text(found.body.get(key)) for key in ("summary", "description"))
    helpers = [*_texts(found.body.get("x-helpers")), *_parameter_helpers(found.body)]
    return Operation(
        name=name,
        method=found.method,
        path=found.path,
        servers=servers_of(source.document, found.body, found.item, url=source.url),
        summary=summary or _text(found.item.get("summary")),
        description=description or _text(found.item.get("description")),
        parameters=tuple(parameters),
        schema=_arguments(parameters),
        examples=tuple(_texts(found.body.get("x-human-usage-examples"))),
        helpers=tuple(helpers),
    )


def _parameter_helpers(body: JsonObject) -> Iterator[str]:
    for parameter in _list(body.get("parameters")):
        if isinstance(parameter, dict):
            yield from (f"{parameter.get('name')}: {text}" for text in _texts(parameter.get("x-helpers")))


def _arguments(parameters: list[Parameter]) -> JsonObject:
    properties = {}
    for parameter in parameters:
        described = {"description": parameter.description} if parameter.description else {}
        properties[parameter.name] = {**parameter.schema, **described}
    required = [parameter.name for parameter in parameters if parameter.required]
    return {"type": "object", "properties": properties, "required": required}


class _Parameters:
    """Collects the parameters of one operation; a name that occurs twice gets its place in front."""

    def __init__(self, found: _Found, source: Source, schemas: ArgumentSchemas) -> None:
        self._found = found
        self._source = source
        self._schemas = schemas
        self._known: dict[str, Parameter] = {}

    def all(self) -> list[Parameter]:
        for parameter, home in self._declared().values():
            self._take(parameter, home)
        for name in _TEMPLATE.findall(self._found.path):
            if not any(p.place == "path" and p.name == name for p in self._known.values()):
                self._add(name, "path", {"type": "string"}, required=True)
        self._request_body()
        return list(self._known.values())

    def _declared(self) -> dict[tuple[str, str], tuple[JsonObject, str]]:
        """Return the parameters by name and place; those of the operation replace those of its path."""
        found = self._found
        declared: dict[tuple[str, str], tuple[JsonObject, str]] = {}
        for given in (*_list(found.item.get("parameters")), *_list(found.body.get("parameters"))):
            parameter, home = _resolved(given, home=found.home, references=self._source.references)
            name, place = parameter.get("name"), parameter.get("in")
            if isinstance(place, str) and (isinstance(name, str) or place == "body"):
                declared[str(name), place] = (parameter, home)
        return declared

    def _take(self, parameter: JsonObject, home: str) -> None:
        place, required = parameter["in"], parameter.get("required") is True
        if place == "body":
            self._body(parameter.get("schema"), home, required=required)
            return
        name = parameter["name"]
        if place == "header" and name.lower() in _SENT_ANYWAY:
            return
        schema = self._schemas.expand(_schema_of(parameter), document=home)
        described = _text(parameter.get("description"))
        where: Place = "body" if place == "formData" else _PLACES.get(place, "query")
        self._add(name, where, schema, required=required or place == "path", description=described)

    def _request_body(self) -> None:
        found, references = self._found, self._source.references
        body, home = _resolved(found.body.get("requestBody"), home=found.home, references=references)
        content = body.get("content")
        if isinstance(content, dict) and content:
            chosen = content[_body_type(list(content))]
            schema = chosen.get("schema") if isinstance(chosen, dict) else None
            self._body(schema, home, required=body.get("required") is True)

    def _body(self, schema: object, home: str, *, required: bool) -> None:
        expanded = self._schemas.expand(schema, document=home)
        flat = as_object(expanded)
        if flat is None or not flat["properties"]:
            self._add("body", "body", expanded, required=required)
            return
        for name, inner in flat["properties"].items():
            self._add(name, "body", inner, required=name in flat["required"])

    def _add(
        self, name: str, place: Place, schema: JsonObject, *, required: bool, description: str = ""
    ) -> None:
        unique = name
        while unique in self._known:
            unique = f"{place}_{unique}"
        text = description or _text(schema.get("description"))
        self._known[unique] = Parameter(
            name=unique, place=place, required=required, schema=schema, description=text
        )


def _schema_of(parameter: JsonObject) -> object:
    """Return the schema of a parameter: under `schema`, under `content`, or, in Swagger 2, itself."""
    if "schema" in parameter:
        return parameter["schema"]
    content = parameter.get("content")
    if isinstance(content, dict) and content:
        first = next(iter(content.values()))
        return first.get("schema") if isinstance(first, dict) else None
    return {key: value for key, value in parameter.items() if key not in ("required", "description")}


def _body_type(types: list[str]) -> str:
    for wanted in _BODY_TYPES:
        for given in types:
            if wanted in given.lower():
                return given
    return types[0]


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    given = [value] if isinstance(value, str) else _list(value)
    return [text for text in given if isinstance(text, str) and text.strip()]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
