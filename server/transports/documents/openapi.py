"""OpenAPI 3.1: every address of the running application, from its routes and what handlers tell."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from aiohttp import web

from handlers import HANDLERS
from schemas.envelope import Id
from server.transports import http_evaluator_errors, http_pipelines_errors
from server.transports.documents.acks import ack_of
from server.transports.documents.failures import JSON, failures_of, responses
from server.transports.documents.naming import Schema, Schemas, closed
from server.transports.documents.paths import Parameter, Path, paths_of
from server.transports.documents.security import KEYS, OPEN, PEOPLE, SCHEMES, VISITORS
from server.transports.documents.told import Form, Media, Told, told_of

ANY = "*"
MULTIPART = "multipart/form-data"
BOTH = ("get", "post")  # what a route for any method is documented as
CHANGES = frozenset({"post", "put", "patch"})
_WORD = re.compile(r"[A-Za-z0-9]+")


def openapi(app: web.Application, *, version: str) -> dict[str, Any]:
    """Return the document; raises LookupError for a route whose handler tells nothing."""
    schemas = Schemas()
    _paths(app, schemas)  # notes which types there are
    responses(schemas)
    schemas.settle()
    paths, failures = _paths(app, schemas), responses(schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Greenroom",
            "version": version,
            "description": "Every address of the server. Events and rooms are described by /asyncapi.json.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "responses": failures,
            "securitySchemes": SCHEMES,
        },
    }


def _paths(app: web.Application, schemas: Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for route in app.router.routes():
        if route.method == "HEAD" or route.resource is None:
            continue
        told = told_of(plain(route.handler))
        if told is None:
            raise LookupError(f"{route.method} {route.resource.canonical} has a handler that tells nothing")
        methods = BOTH if route.method == ANY else (route.method.lower(),)
        for path in paths_of(route.resource):
            for made in _events(path) if told.is_event else (path,):
                for method in methods:
                    operation = Operation(method, made, plain(route.handler), told, schemas=schemas)
                    found.setdefault(made.address, {})[method] = operation.describe()
    return found


def plain(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of a handler whose first arguments are given already."""
    return plain(handler.func) if isinstance(handler, partial) else handler


def _events(path: Path) -> Iterator[Path]:
    """Yield an address for each event, in the spelling with a slash."""
    for event in HANDLERS:
        address = path.address.replace("{event}", event.replace("_", "/", 1))
        yield Path(address, words={"event": event})


class Operation:
    """One method of one address."""

    def __init__(
        self, method: str, path: Path, handler: Callable[..., Any], told: Told, *, schemas: Schemas
    ) -> None:
        self._method = method
        self._path = path
        self._handler = handler
        self._told = told
        self._schemas = schemas
        self._event = HANDLERS.get(path.words.get("event", ""))

    def describe(self) -> dict[str, Any]:
        """Return the operation as the document has it."""
        documented = self._event.run if self._event is not None else self._handler
        summary, _, more = (documented.__doc__ or "").strip().partition("\n")
        found: dict[str, Any] = {
            "operationId": _id(self._method, self._path.address),
            "tags": [self._tag()],
            "summary": summary,
            "parameters": self._parameters(),
            "responses": self._responses(),
            "security": self._security(),
        }
        if text := " ".join(more.split()):
            found["description"] = text
        if body := self._body():
            found["requestBody"] = body
        return found

    def _tag(self) -> str:
        if self._event is not None or self._path.address.startswith("/socket/"):
            return "events"
        return self._handler.__module__.rpartition(".")[2].removeprefix("http_").replace("_", " ")

    def _parameters(self) -> list[dict[str, Any]]:
        told = self._told
        found = [
            _parameter(p.name, "path", self._path_schema(p), required=True) for p in self._path.parameters
        ]
        for name, kind in {**told.query, **self._beside_the_body()}.items():
            found.append(_parameter(name, "query", self._schemas.of(kind, mode="validation")))
        headers = dict(told.headers)
        if self._event is not None:
            headers["X-Session-Id"] = Id
        for name, kind in headers.items():
            found.append(_parameter(name, "header", self._schemas.of(kind, mode="validation")))
        return found

    def _beside_the_body(self) -> dict[str, Any]:
        """Return the fields of an event that stand in the query, because its body is one of them."""
        if self._event is None or (raw := self._event.schema.raw) is None:
            return {}
        return {
            name: known.annotation for name, known in self._event.schema.model_fields.items() if name != raw
        }

    def _path_schema(self, parameter: Parameter) -> Schema:
        return parameter.schema or self._schemas.of(parameter.type, mode="validation")

    def _body(self) -> dict[str, Any] | None:
        told = self._event.schema if self._event is not None else self._told.body
        if told is None:
            return None
        if self._event is not None and self._event.schema.raw is not None:
            return {"required": True, "content": {"application/octet-stream": {}}}
        content: dict[str, Any] = {}
        for kind in told if isinstance(told, tuple) else (told,):
            if isinstance(kind, Form):
                content[MULTIPART] = _form(kind)
            else:
                content[JSON] = {"schema": self._schemas.of(kind, self._path.words, mode="validation")}
        return {"required": True, "content": content}

    def _responses(self) -> dict[str, Any]:
        found = {} if self._told.is_open and not self._told.body else self._failures()
        if self._event is not None:
            schema = ack_of(self._event, self._schemas)
            found["200"] = {"description": "The ack.", "content": {JSON: {"schema": schema}}}
            return dict(sorted(found.items()))
        for status, answers in self._told.answers.items():
            found[str(status)] = {"description": _NAMES.get(status, "The answer."), **self._content(answers)}
        return dict(sorted(found.items()))

    def _failures(self) -> dict[str, Any]:
        return failures_of(self._path.address)

    def _content(self, answers: Any) -> dict[str, Any]:
        if answers is None:
            return {}
        content: dict[str, Any] = {}
        for answer in answers if isinstance(answers, tuple) else (answers,):
            if isinstance(answer, Media):
                content[answer.content_type] = {}
            else:
                content[JSON] = {"schema": self._schemas.of(answer, self._path.words)}
        return {"content": content}

    def _security(self) -> list[dict[str, list[str]]]:
        if self._told.is_open:
            return OPEN
        if self._path.address.startswith(http_evaluator_errors.PREFIX):
            return KEYS
        return VISITORS if self._path.address.startswith(http_pipelines_errors.PREFIX) else PEOPLE


_NAMES = {
    101: "The connection becomes a WebSocket.",
    201: "It was made.",
    202: "It goes on; `Location` says where it is found.",
    204: "It is done.",
    503: "The process is not to get clients.",
}


def _id(method: str, address: str) -> str:
    """Return an operation's name; an address with a slash at its end may stand beside one without."""
    name = "_".join([method, *_WORD.findall(address)])
    return f"{name}_" if address.endswith("/") else name


def _form(form: Form) -> dict[str, Any]:
    schema = {
        **closed({name: dict(part) for name, part in form.parts.items()}),
        "additionalProperties": False,
    }
    schema["required"] = list(form.required)
    encoding = {name: {"contentType": kind} for name, kind in form.encoding.items()}
    return {"schema": schema, "encoding": encoding}


def _parameter(name: str, place: str, schema: Schema, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": schema}
