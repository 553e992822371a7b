"""The documents as a page to be read: no script, no style in it, nothing of another host."""

from collections.abc import Iterator
from html import escape
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
STYLE = """\
:root { color-scheme: light dark; --line: #8884; --quiet: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1rem; }
h2 { border-bottom: 1px solid var(--line); margin-top: 2.5rem; }
nav ul { columns: 14rem; padding-left: 1rem; }
code { background: var(--quiet); border-radius: 3px; overflow-wrap: anywhere; padding: 0 .25em; }
details { border-bottom: 1px solid var(--line); padding: .4rem 0; }
summary { cursor: pointer; }
summary b { display: inline-block; min-width: 4.5rem; }
dl { margin: .5rem 0 .5rem 1.5rem; }
dt { font-weight: 600; }
dd { margin: 0 0 .4rem 1rem; }
"""
HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Greenroom: reference</title>
<link rel="stylesheet" href="/docs/style.css">
</head>
<body>
<h1>Greenroom: reference</h1>
<p>Made from the running server. For programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1) and
<a href="/asyncapi.json">/asyncapi.json</a> (AsyncAPI 3.0).</p>
"""


def page(addresses: dict[str, Any], events: dict[str, Any]) -> str:
    """Return the page of both documents."""
    groups: dict[str, list[str]] = {}
    for address, operations in addresses["paths"].items():
        for method in METHODS:
            if method in operations:
                one = operations[method]
                groups.setdefault(one["tags"][0], []).append(_operation(method, address, one))
    told = {
        "Errors": [_failure(answer) for answer in addresses["components"]["responses"].items()],
        "Client events": [_event(events, name) for name in _names(events, "receive")],
        "Server events": [_event(events, name) for name in _names(events, "send")],
        "Rooms": [_room(channel) for name, channel in events["channels"].items() if name.startswith("room_")],
    }
    sections = {**{f"HTTP: {tag}": found for tag, found in sorted(groups.items())}, **told}
    return "".join([HEAD, _contents(sections), *_sections(sections), "</body>\n</html>\n"])


def _contents(sections: dict[str, list[str]]) -> str:
    links = [f'<li><a href="#{_anchor(name)}">{escape(name)}</a></li>' for name in sections]
    return f'<nav aria-label="Contents"><ul>{"".join(links)}</ul></nav>\n'


def _sections(sections: dict[str, list[str]]) -> Iterator[str]:
    for name, parts in sections.items():
        yield f'<section aria-labelledby="{_anchor(name)}"><h2 id="{_anchor(name)}">{escape(name)}</h2>\n'
        yield from parts
        yield "</section>\n"


def _anchor(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())


def _operation(method: str, address: str, one: dict[str, Any]) -> str:
    fields = [(f"{p['name']} ({p['in']})", said(p["schema"])) for p in one["parameters"]]
    for kind, content in one.get("requestBody", {}).get("content", {}).items():
        fields.append(("body", f"{kind}: {said(content.get('schema', {}))}"))
    for status, answer in one["responses"].items():
        if "$ref" in answer:
            continue  # errors are the same everywhere
        kinds = [f"{kind}: {said(c.get('schema', {}))}" for kind, c in answer.get("content", {}).items()]
        fields.append((status, " ".join([answer["description"], *kinds])))
    text = " ".join((one["summary"], one.get("description", "")))
    return _details(f"<b>{method.upper()}</b> <code>{escape(address)}</code> {escape(text)}", fields)


def _failure(answer: tuple[str, dict[str, Any]]) -> str:
    name, one = answer
    kinds = [(kind, said(content["schema"])) for kind, content in one["content"].items()]
    return _details(f"<code>{escape(name)}</code> {escape(one['description'])}", kinds)


def _names(events: dict[str, Any], action: str) -> list[str]:
    found = [
        message["$ref"].rpartition("/")[2]
        for operation in events["operations"].values()
        if operation["action"] == action
        for message in operation["messages"]
    ]
    return list(dict.fromkeys(found))


def _event(events: dict[str, Any], name: str) -> str:
    message = events["components"]["messages"][name]
    schema = _resolved(events, message["payload"])
    needed = schema.get("required", ())
    fields = [
        (field if field in needed else f"{field} (optional)", said(one))
        for field, one in schema.get("properties", {}).items()
    ]
    return _details(f"<code>{escape(name)}</code> {escape(message.get('summary', ''))}", fields)


def _resolved(events: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = events["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _room(channel: dict[str, Any]) -> str:
    head = f"<code>{escape(channel['address'])}</code>"
    return _details(head, [("events", ", ".join(channel["messages"]))])


def _details(head: str, fields: list[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in fields)
    return f"<details><summary>{head}</summary><dl>{rows}</dl></details>\n"


def said(schema: dict[str, Any]) -> str:
    """Say in words what a schema takes."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(said(option) for option in options))
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {said(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "anything")
