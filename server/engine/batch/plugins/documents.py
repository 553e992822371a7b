"""Read JSON and YAML documents into plain values, whatever they hold, and follow their references.

A library follows the references; none reads the rest, because those there are hold documents to the letter of
the standard: of the 20 real ones in tests/data/openapi aiopenapi3 refuses 4 and openapi-pydantic 5, and both
refuse a document without `info` or with a number for its version.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urldefrag, urljoin

import orjson
from referencing import Registry, Specification
from referencing.exceptions import Unresolvable

from schemas.envelope import JsonObject
from server.engine.addresses import shown
from server.engine.batch.plugins.plain_values import MAX_DEPTH, MAX_VALUES, TooMuch
from server.engine.batch.plugins.yaml_documents import MAX_NODES, TooSlow, Unreadable, read_yaml
from server.errors import BadRequest

MAX_YAML_BYTES = 3_000_000  # it is read in Python, a hundred times slower than JSON
MAX_YAML_SECONDS = 20.0


def read_json_document(body: bytes, *, url: str) -> JsonObject | None:
    """Return the object that a JSON document holds; None when it is no JSON, and may be YAML.

    Raises BadRequest naming the address, never with text of the document.
    """
    text = _decoded(body, url=url)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if len(text) <= MAX_YAML_BYTES:
            return None
        raise BadRequest(
            f"{shown(url)} is not valid JSON (line {error.lineno}), and too large to be read as YAML: "
            f"YAML may have {MAX_YAML_BYTES:,} bytes"
        ) from error
    return _object(lambda: value if _counted(value, 0) else None, url=url)


def read_yaml_document(body: bytes, *, url: str, seconds: float = MAX_YAML_SECONDS) -> JsonObject:
    """Return the object that a YAML document holds, with text for keys and JSON's types only.

    What aliases and merges lead to counts each time that it is used. Blocks for up to so many seconds. Raises
    BadRequest naming the address, never with text of the document.
    """
    text = _decoded(body, url=url)
    try:
        return _object(lambda: read_yaml(text, seconds=seconds), url=url)
    except Unreadable as error:
        line = f" (line {error.line})" if error.line else ""
        raise BadRequest(f"{shown(url)} is neither valid JSON nor valid YAML{line}") from error
    except TooSlow as error:
        raise BadRequest(
            f"{shown(url)} takes more than {seconds:g} s to read as YAML: give the same as JSON, or less"
        ) from error


def read_document(body: bytes, *, url: str) -> JsonObject:
    """Return the object that a JSON or YAML document holds."""
    document = read_json_document(body, url=url)
    return read_yaml_document(body, url=url) if document is None else document


def _decoded(body: bytes, *, url: str) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{shown(url)} is not UTF-8 text: it has to be JSON or YAML") from error


def _object(read: Callable[[], object], *, url: str) -> JsonObject:
    try:
        value = read()
    except (TooMuch, RecursionError) as error:
        raise BadRequest(
            f"{shown(url)} is too much for one document: {MAX_VALUES:,} values in {MAX_DEPTH} levels may be, "
            f"and {MAX_NODES:,} keys and values written as YAML"
        ) from error
    if not isinstance(value, dict):
        raise BadRequest(
            f"{shown(url)} holds no JSON or YAML object, so it is no manifest or OpenAPI document"
        )
    return value


def _counted(value: object, depth: int) -> int:
    if depth > MAX_DEPTH:
        raise TooMuch
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    count = 1 + sum(_counted(item, depth + 1) for item in items)
    if count > MAX_VALUES:
        raise TooMuch
    return count


class Remote(Exception):
    """Asks for another document, which a reference names and which has not been fetched yet."""

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a reference leads to: the value, its full address, and the document that it stands in."""

    value: object
    address: str
    document: str


@dataclass(slots=True)
class References:
    """The documents that a plugin's references lead to, by address."""

    _registry: Registry[Any] = field(default_factory=Registry)
    _followed: dict[tuple[str, str], Target | None] = field(default_factory=dict)

    def add(self, url: str, document: JsonObject) -> None:
        """Take a document in under its address."""
        resource = Specification.OPAQUE.create_resource(document)
        self._registry = self._registry.with_resource(url, resource)
        self._followed.clear()

    def follow(self, reference: object, *, document: str) -> Target | None:
        """Return what a reference that stands in a document leads to; None when it leads nowhere.

        Raises Remote when the document that it names has to be added first.
        """
        if not isinstance(reference, str):
            return None
        known = (document, reference)
        if known not in self._followed:
            self._followed[known] = self._follow(reference, document)
        return self._followed[known]

    def _follow(self, reference: str, document: str) -> Target | None:
        try:
            address = urljoin(document, reference)
            url, _ = urldefrag(address)
            if url not in self._registry:
                raise Remote(url)
            found = self._registry.resolver(base_uri=url).lookup(address)
        except (Unresolvable, ValueError, TypeError, LookupError):
            return None
        return Target(value=found.contents, address=address, document=url)
