"""Pairs calls of tools with their results while the messages of a record are read in order."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from schemas.content import Tool
from server.engine.recordings.record import Malformed, Record


class Turns:
    """Collects the messages of one record as the model has them."""

    def __init__(self) -> None:
        self.messages: list[Record] = []
        self._open: list[str] = []  # calls without a result, oldest first
        self._ids: set[str] = set()

    def say(self, role: str, text: str) -> None:
        """Add what somebody said."""
        self.messages.append({"role": role, "content": text})

    def call(self, calls: list[object]) -> None:
        """Add calls to the assistant's turn that was said last."""
        made = [self._call(call) for call in calls]
        if made:
            self.messages[-1]["tool_calls"] = made

    def answer(self, text: str, *, call: object = None) -> None:
        """Add a tool's result; without a call's id it answers the oldest that has none."""
        where = f"message {len(self.messages) + 1}"
        if call is None and not self._open:
            raise Malformed(f"{where}: there is no call above for this result")
        if call is not None and call not in self._open:
            raise Malformed(f"{where}: no call above with the id {str(call)[:60]!r} waits for a result")
        key = str(call) if call is not None else self._open[0]
        self._open.remove(key)
        self.messages.append({"role": "tool", "content": text, "tool_call_id": key})

    def _call(self, value: object) -> Record:
        where = f"message {len(self.messages)}"
        fields = value.get("function", value) if isinstance(value, dict) else None
        if (
            not isinstance(value, dict)
            or not isinstance(fields, dict)
            or not isinstance(fields.get("name"), str)
        ):
            raise Malformed(f"{where}: a call of a tool needs a name")
        key = value.get("id")
        if not isinstance(key, str) or not key:
            key = f"call_{len(self._ids) + 1}"
        if key in self._ids:
            raise Malformed(f"{where}: the id {key[:60]!r} is taken by a call above")
        self._ids.add(key)
        self._open.append(key)
        return {"id": key, "name": fields["name"], "arguments": arguments_of(fields, where)}


def arguments_of(call: Mapping[str, Any], where: str) -> str:
    """Return the arguments of a call as the text that they are, or would be, sent as."""
    given = call.get("arguments", call.get("parameters", "{}"))
    if given is None:
        return "{}"
    if isinstance(given, str):
        return given
    if isinstance(given, dict):
        return json.dumps(given, ensure_ascii=False)
    raise Malformed(f"{where}: the arguments of {call['name'][:60]!r} are neither text nor an object")


def tools_of(given: object) -> list[Tool]:
    """Return tool definitions, in the form of chat completions or flat; a text is read as JSON."""
    if isinstance(given, str):
        try:
            given = json.loads(given) if given.strip() else []
        except (ValueError, RecursionError) as error:
            raise Malformed("tools: this text is not JSON") from error
    if given is None:
        return []
    if not isinstance(given, list):
        raise Malformed("tools: a list of definitions is needed")
    return [_tool(index, value) for index, value in enumerate(given)]


def _tool(index: int, value: object) -> Tool:
    fields = value.get("function", value) if isinstance(value, dict) else None
    if not isinstance(fields, dict):
        raise Malformed(f"tool {index + 1}: a definition with a name is needed")
    known = {name: fields[name] for name in Tool.model_fields if fields.get(name) is not None}
    try:
        return Tool.model_validate(known)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        where = ".".join(map(str, detail["loc"]))
        raise Malformed(f"tool {index + 1}: {where}: {detail['msg']}") from error
