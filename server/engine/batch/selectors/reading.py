"""What models write, read: JSON among words, and requests as calls of the plugins' operations."""

import json
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, urlsplit

from schemas.envelope import JsonObject
from schemas.storable import check_storable
from server.engine.batch.matching import find_operation, same_plugin
from server.engine.batch.plugins.plugin import Plugin
from server.engine.batch.selectors.selection import ApiCall, Detected

AROUND_NAMES = " \t`*'\"[]().>"  # what models put there
_DECODER = json.JSONDecoder(strict=False)  # models break lines inside texts


def json_at(text: str, start: int = 0) -> object:
    """Return the JSON value that begins at a place of a text, whatever follows it.

    Raises ValueError where none begins, and for one that cannot be kept (too deep, too large a number).
    """
    try:
        value, _end = _DECODER.raw_decode(text, start)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return check_storable(value)


def object_of(text: str) -> JsonObject:
    """Return the JSON object that a text is; empty for anything else."""
    try:
        value = json_at(text.strip())
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def plugin_named(name: str, plugins: Iterable[Plugin]) -> Plugin | None:
    """Return the first plugin that a model names, also in quotes and the like."""
    forms = (name.strip(), name.strip(AROUND_NAMES))
    return next((plugin for plugin in plugins if any(same_plugin(plugin, form) for form in forms)), None)


def detected_at(plugins: Sequence[Plugin], call: ApiCall) -> Detected:
    """Return a request as a call of the operation at its address; of none of ours when there is no such one.

    Its parameters are those of the path, the query (a list where a key is repeated) and the body, in which a
    name that was there before gets `body_` in front.
    """
    found = find_operation(plugins, url=call.url, method=call.method)
    parameters: JsonObject = {**found.path_parameters} if found else {}
    parameters |= query_of(call.url)
    if isinstance(call.body, dict):
        taken = set(parameters)
        parameters |= {f"body_{key}" if key in taken else key: value for key, value in call.body.items()}
    elif call.body is not None:
        parameters["body"] = call.body
    return Detected(
        plugin=found.plugin if found else None,
        operation=found.operation if found else None,
        target=call.url,
        method=call.method,
        parameters=_kept(parameters),
    )


def query_of(url: str) -> JsonObject:
    """Return the query of an address; all values are texts."""
    try:
        pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:
        return {}
    values: dict[str, list[str]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    return {key: given if len(given) > 1 else given[0] for key, given in values.items()}


def _kept(parameters: JsonObject) -> JsonObject:
    """Return parameters that can be stored; none at all where a character in them is none."""
    try:
        check_storable(parameters)
    except ValueError:
        return {}
    return parameters
