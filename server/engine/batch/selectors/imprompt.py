"""Imprompt/default: the model names plugins first, then writes the request to each of them."""

import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from server.engine.batch.plugins.plugin import Plugin
from server.engine.batch.selectors.asking import asked, said, text_of
from server.engine.batch.selectors.prompts import choose, write
from server.engine.batch.selectors.reading import AROUND_NAMES, detected_at, json_at, plugin_named
from server.engine.batch.selectors.selection import ApiCall, Complete, Detected, Selected, Selection

_AROUND = " \t`*>#-"  # what models put before a line
_ACTION = "action:"
_NONE = ("", "none", "n/a")
_REQUEST = re.compile(
    r"^[ \t`*>]*(get|post|put|patch|delete|head|options)[ \t]+<?((?:https?://|/)\S.*)$", re.I | re.M
)
_BODY = re.compile(r"[ \t]([{\[])")
_BEFORE_BODY = re.compile(r"[\s`]*(?:json\s*)?", re.I)


async def select(selection: Selection, complete: Complete) -> Selected:
    """Return the plugins that the model names, each with the request that it writes for it."""
    answer = await asked(selection, complete, _messages(choose(selection.plugins), selection))
    chosen = text_of(answer)
    named = plugins_in(chosen, selection.plugins)
    text: str | None = chosen
    calls: list[Detected] = []
    for name, plugin in named.items():
        if plugin is None:
            calls.append(Detected(plugin=None, operation=None, target=name))
            text = None
            continue
        written = text_of(await asked(selection, complete, _messages(write(plugin), selection)))
        call = request_in(written)
        calls.append(detected(plugin, call))
        text = None if call or text is None else written
    return Selected(final_output=text, detected=tuple(calls))


def _messages(told: str, selection: Selection) -> list[dict[str, str]]:
    return [said("system", told), said("user", selection.prompt)]


def plugins_in(text: str, plugins: Sequence[Plugin]) -> dict[str, Plugin | None]:
    """Return the plugins that the lines with an action name, each once; None for one that does not exist."""
    named: dict[str, Plugin | None] = {}
    for line in text.splitlines():
        action = line.lstrip(_AROUND)
        if not action.casefold().startswith(_ACTION):
            continue
        rest = action[len(_ACTION) :]
        for name in [rest] if plugin_named(rest, plugins) else rest.split(","):
            plugin, bare = plugin_named(name, plugins), name.strip(AROUND_NAMES)
            if bare.casefold() not in _NONE:
                named[plugin.manifest_url if plugin else bare] = plugin
    return named


def request_in(text: str) -> ApiCall | None:
    """Return the first line that is a method and a URL, with the JSON behind it; None without one.

    A query may have blanks in it, as models forget to encode them.
    """
    line = _REQUEST.search(text)
    if line is None:
        return None
    body = _BODY.search(line[2])
    url = (line[2][: body.start()] if body else line[2]).strip().rstrip("`'\">*")
    words = url.split()
    at = line.start(2) + body.start(1) if body else _after(text, line.end())
    return ApiCall(
        method=line[1].lower(),
        url=url if "?" in words[0] else words[0].rstrip("`'\">*"),
        body=_json(text, at),
    )


def _after(text: str, end: int) -> int:
    before = _BEFORE_BODY.match(text, end)
    return before.end() if before else end


def _json(text: str, start: int) -> object:
    if text[start : start + 1] not in ("{", "["):
        return None
    try:
        return json_at(text, start)
    except ValueError:
        return None


def detected(plugin: Plugin, call: ApiCall | None) -> Detected:
    """Return a request to a named plugin; the path alone says which operation it is."""
    if call is None:
        return Detected(plugin=plugin, operation=None, target=plugin.name)
    found = detected_at([plugin], call)
    if found.operation is None:
        found = detected_at([plugin], replace(call, url=_without_host(call.url)))
    return replace(found, plugin=plugin, target=call.url)


def _without_host(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return f"{parts.path}?{parts.query}"
