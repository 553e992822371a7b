"""Read the manifests of plugins: OpenAI's ai-plugin.json, OpenPlugin's, and OpenAPI documents themselves."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin

from yarl import URL

from schemas.envelope import JsonObject
from server.engine.addresses import shown
from server.engine.batch.plugins.plugin import METHODS, Operation
from server.errors import BadRequest

_TEMPLATE = re.compile(r"\{[^{}/]*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """An operation that a manifest allows; `method` is None for all of the path."""

    path: str
    method: str | None
    examples: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest says of its plugin; `openapi_url` is None when it is the OpenAPI document itself.

    An empty `allowed` allows every operation.
    """

    url: str
    names: tuple[str, ...]
    description: str
    openapi_url: str | None
    allowed: tuple[Allowed, ...] = ()


def read_manifest(content: JsonObject, *, url: str) -> Manifest:
    """Return what a manifest says; `url` is where it was found. Raises BadRequest for what is none."""
    if isinstance(content.get("openapi_doc_url"), str) and content["openapi_doc_url"].strip():
        return _open_plugin(content, content["openapi_doc_url"], url=url)
    api = content.get("api")
    if isinstance(api, dict) and isinstance(api.get("url"), str) and api["url"].strip():
        return _open_plugin(content, api["url"], url=url)
    if isinstance(content.get("paths"), dict):
        return _open_api(content, url=url)
    raise BadRequest(
        f"{shown(url)} is no manifest: it needs api.url (OpenAI), openapi_doc_url (OpenPlugin) "
        "or paths (an OpenAPI document)"
    )


def _open_plugin(content: JsonObject, openapi_url: str, *, url: str) -> Manifest:
    try:
        resolved = urljoin(url, openapi_url.strip())
    except ValueError as error:
        raise BadRequest(f"{shown(url)} names an OpenAPI document at what is no address") from error
    return Manifest(
        url=url,
        names=_texts(content, "name_for_human", "name", "name_for_model"),
        description=_first(content, "description_for_model", "description", "description_for_human"),
        openapi_url=resolved,
        allowed=tuple(_allowed(content.get("plugin_operations"))),
    )


def _open_api(content: JsonObject, *, url: str) -> Manifest:
    extension, info = _object(content.get("x-openplugin")), _object(content.get("info"))
    names = _texts(extension, "name_for_human", "name", "name_for_model") or _texts(info, "title")
    return Manifest(
        url=url,
        names=names,
        description=_first(extension, "description_for_model", "description")
        or _first(info, "description", "summary"),
        openapi_url=None,
        allowed=tuple(_allowed(extension.get("plugin_operations"))),
    )


def _allowed(given: object) -> Iterator[Allowed]:
    """Yield what `{path: {method: hints}}`, or a list of `{path, method}` or "GET /path", allows."""
    if isinstance(given, dict):
        for path, methods in given.items():
            yield from _allowed_methods(str(path), methods)
    for item in given if isinstance(given, list) else ():
        if isinstance(item, str):
            method, _, path = item.strip().rpartition(" ")
            yield Allowed(path=path, method=method.strip().lower() or None)
        elif isinstance(item, dict) and isinstance(item.get("path"), str):
            yield _hinted(item["path"], item.get("method"), item)
        elif isinstance(item, dict):
            yield from _allowed(item)


def _allowed_methods(path: str, methods: object) -> Iterator[Allowed]:
    if isinstance(methods, dict) and methods.keys() & _hints:
        yield _hinted(path, None, methods)
    elif isinstance(methods, dict) and methods:
        for method, hints in methods.items():
            yield _hinted(path, method, hints)
    elif isinstance(methods, list) and methods:
        for method in methods:
            yield _hinted(path, method, None)
    else:
        yield _hinted(path, methods, None)


_hints = {"human_usage_examples", "prompt_signature_helpers"}


def _hinted(path: str, method: object, hints: object) -> Allowed:
    given = _object(hints)
    return Allowed(
        path=path,
        method=method.lower() if isinstance(method, str) and method.lower() in METHODS else None,
        examples=_sentences(given.get("human_usage_examples")),
        helpers=_sentences(given.get("prompt_signature_helpers")),
    )


def allow(manifest: Manifest, operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return the operations that a manifest allows, with its examples and helpers.

    What it names and the document lacks is passed over; raises BadRequest when nothing is left.
    """
    if not manifest.allowed:
        return tuple(operations)
    left = [hinted for o in operations if (hinted := _with_hints(o, manifest.allowed)) is not None]
    if operations and not left:
        raise BadRequest(
            f"plugin_operations of {shown(manifest.url)} allows none of the operations of its OpenAPI "
            f"document: it names {_some([a.path for a in manifest.allowed])}, the document has "
            f"{_some([o.path for o in operations])}"
        )
    return tuple(left)


def _with_hints(operation: Operation, allowed: Sequence[Allowed]) -> Operation | None:
    meant = [a for a in allowed if a.method in (None, operation.method) and _same_path(a.path, operation)]
    if not meant:
        return None
    examples = [*operation.examples, *(text for a in meant for text in a.examples)]
    helpers = [*operation.helpers, *(text for a in meant for text in a.helpers)]
    return replace(operation, examples=tuple(dict.fromkeys(examples)), helpers=tuple(dict.fromkeys(helpers)))


def _same_path(written: str, operation: Operation) -> bool:
    """Tell whether a path, with or without its server's path or address, is that of an operation."""
    paths = [operation.path]
    for server in operation.servers:
        below = server.partition("://")[2].partition("/")[2]
        paths += [server + operation.path, f"/{below}{operation.path}"]
    return _bare(written) in {_bare(path) for path in paths}


def _bare(path: str) -> str:
    return _TEMPLATE.sub("{}", path.strip().partition("?")[0]).strip("/")


def _some(paths: Sequence[str]) -> str:
    shortened = list(dict.fromkeys(path[:100] for path in paths))
    return ", ".join(shortened[:3]) + (" …" if len(shortened) > 3 else "")


def host_of(url: str) -> str:
    """Return the host of an address, the name of a plugin that has none."""
    return URL(url).host or url


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _texts(content: JsonObject, *keys: str) -> tuple[str, ...]:
    found = (content.get(key) for key in keys)
    return tuple(dict.fromkeys(t.strip() for t in found if isinstance(t, str) and t.strip()))


def _first(content: JsonObject, *keys: str) -> str:
    return next(iter(_texts(content, *keys)), "")


def _sentences(value: Any) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(text.strip() for text in given if isinstance(text, str) and text.strip())
