"""How a recorded conversation is written in a pack: one line of YAML for each thing that was said or done.

    messages:
      - user: Where is my parcel?
      - assistant: Let me look.
      - call: {name: lookup_order, arguments: {order: A-17}}
      - result: {status: on its way}
      - assistant: It is on its way.
        at: 12.5

Calls belong to the assistant's text above them, and several in a row to one turn. Results answer the calls
before them, in order. The long form (`role`, `content`, `tool_calls`, `tool_call_id`) is read too.
"""

import json
from collections.abc import Collection
from typing import Protocol

from server.engine.pack_words import meant
from server.engine.pack_yaml import Path

Fields = dict[str, object]
_SAID = ("system", "user", "assistant")
_KINDS = (*_SAID, "call", "result")
_LONG = ("role", "content", "tool_calls", "tool_call_id", "at", "at_ms")
_CALL = ("id", "name", "arguments")
_MS = 1000


class Flawed(Protocol):
    """Reports a mistake at a place of the pack."""

    def __call__(self, path: Path, message: str) -> None: ...


class Messages:
    """Reads the messages of one run; `places` then has the path of each message that was made.

    `tools` are the names that may be called, None when they are not known here.
    """

    def __init__(self, *, flaw: Flawed, tools: Collection[str] | None) -> None:
        self.flaw = flaw
        self.tools = tools
        self.made: list[Fields] = []
        self.places: list[Path] = []
        self._open: dict[str, Path] = {}  # calls that wait for a result
        self._ids: set[str] = set()
        self._turn_is_open = False  # the last message is the assistant's, and calls still belong to it
        self._last_at = 0.0

    def read(self, value: object, path: Path) -> list[Fields]:
        """Return the messages as the model has them; whatever is wrong is reported and left out."""
        if not isinstance(value, list):
            self.flaw(path, "this should be a list of messages, such as `- user: Where is my parcel?`")
            return []
        for index, item in enumerate(value):
            at = (*path, index)
            if not isinstance(item, dict):
                self.flaw(at, f"a message is a mapping with one of {', '.join(_KINDS)}, or with `role`")
            elif "role" in item:
                self._long(item, at)
            else:
                self._short(item, at)
        self._expect_no_open()
        return self.made

    def _short(self, item: Fields, path: Path) -> None:
        kinds = [name for name in item if name != "at"]
        if len(kinds) != 1 or kinds[0] not in _KINDS:
            wrong = next((name for name in kinds if name not in _KINDS), None)
            near = meant(wrong, _KINDS) if wrong else "; write each as an item of its own"
            self.flaw(
                path if wrong is None else (*path, wrong),
                f"a message is one of {', '.join(_KINDS)}" + (near or f", not `{str(wrong)[:60]}`"),
            )
            return
        kind, place = kinds[0], (*path, kinds[0])
        timing = self._timing(item, path)
        if kind == "call":
            self._call_turn(item[kind], place, timing)
        elif kind == "result":
            self._result(item[kind], place, timing)
        else:
            self._say(kind, item[kind], place, timing)

    def _say(self, role: str, value: object, path: Path, timing: Fields) -> None:
        self._expect_no_open()
        self._add({"role": role, "content": self._text(value, path), **timing}, path)
        self._turn_is_open = role == "assistant"

    def _call_turn(self, value: object, path: Path, timing: Fields) -> None:
        if not self._turn_is_open:
            self._expect_no_open()
            self._add({"role": "assistant", "content": "", **timing}, path)
            self._turn_is_open = True
        turn = self.made[-1]
        calls = turn.setdefault("tool_calls", [])
        given = value if isinstance(value, list) else [value]
        for index, call in enumerate(given):
            found = self._call(call, (*path, index) if isinstance(value, list) else path)
            if found is not None and isinstance(calls, list):
                calls.append(found)

    def _call(self, value: object, path: Path) -> Fields | None:
        if isinstance(value, dict) and isinstance(value.get("function"), dict):
            value = {"id": value.get("id"), **value["function"]}
            path = (*path, "function")
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            self.flaw(path, "a call is written {name: lookup_order, arguments: {order: A-17}}")
            return None
        for name in value:
            if name not in _CALL:
                self.flaw((*path, name), f"there is no field `{name[:60]}`; a call has {', '.join(_CALL)}")
        given, name = value.get("id"), str(value["name"])
        key = given if isinstance(given, str) and given else f"call_{len(self._ids) + 1}"
        if key in self._ids:
            self.flaw((*path, "id"), f"the id `{key[:60]}` is taken by a call above")
        self._ids.add(key)
        self._open[key] = path
        if self.tools is not None and name not in self.tools:
            near = meant(name, self.tools)
            self.flaw((*path, "name"), f"no agent of this benchmark has a tool `{name[:60]}`{near}")
        return {"id": key, "name": name, "arguments": self._arguments(value, path)}

    def _arguments(self, call: Fields, path: Path) -> str:
        given = call.get("arguments", {})
        if isinstance(given, str):
            if is_object(given):
                return given
        elif isinstance(given, dict):
            return self._json(given, (*path, "arguments"))
        self.flaw((*path, "arguments"), "arguments are a mapping, such as {order: A-17}")
        return "{}"

    def _result(self, value: object, path: Path, timing: Fields, *, call: str | None = None) -> None:
        self._turn_is_open = False
        key = call if call in self._open else next(iter(self._open), None) if call is None else None
        if key is None:
            what = "no call above" if call is None else f"no call above with the id `{call[:60]}`"
            self.flaw(path, f"{what} waits for this result")
            return
        del self._open[key]
        text = value if isinstance(value, str) else self._json(value, path)
        self._add({"role": "tool", "content": text, "tool_call_id": key, **timing}, path)

    def _long(self, item: Fields, path: Path) -> None:
        for name in item:
            if name not in _LONG:
                near = meant(name, _LONG) or f"; the fields here are {', '.join(_LONG)}"
                self.flaw((*path, name), f"there is no field `{name[:60]}`{near}")
        role, timing = item["role"], self._timing(item, path)
        if role == "tool":
            named = item.get("tool_call_id")
            place = (*path, "tool_call_id" if named is not None else "role")
            self._result(
                item.get("content", ""), place, timing, call=str(named) if named is not None else None
            )
        elif role in _SAID:
            calls = item.get("tool_calls")
            if item.get("content") is not None or not calls:
                self._say(str(role), item.get("content", ""), (*path, "content"), timing)
            if calls and role == "assistant":
                self._turn_is_open = self._turn_is_open and item.get("content") is not None
                self._call_turn(calls, (*path, "tool_calls"), timing)
            elif calls:
                self.flaw((*path, "tool_calls"), "only the assistant calls tools")
            self._turn_is_open = False
        else:
            self.flaw((*path, "role"), "this should be system, user, assistant or tool")

    def _timing(self, item: Fields, path: Path) -> Fields:
        name = "at" if "at" in item else "at_ms"
        if name not in item:
            return {}
        given = item[name]
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < 1e9:
            self.flaw((*path, name), "this should be a number of seconds after the beginning, such as 12.5")
            return {}
        ms = float(given) * (_MS if name == "at" else 1)
        if ms < self._last_at:
            self.flaw((*path, name), "this is earlier than the message above")
        self._last_at = ms
        return {"at_ms": ms}

    def _text(self, value: object, path: Path) -> str:
        if isinstance(value, str):
            return value
        written = (
            "" if value is None or isinstance(value, list | dict) else f": put {str(value)[:60]} into quotes"
        )
        self.flaw(path, f"this should be a text{written}")
        return ""

    def _json(self, value: object, path: Path) -> str:
        """Return what was written as YAML as JSON text."""
        for name, item in value.items() if isinstance(value, dict) else ():
            if item is None and " " in name:
                self.flaw(
                    (*path, name), "inside {} a comma begins a new field: put a text with commas into quotes"
                )
        try:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)
        except ValueError:
            self.flaw(path, "a number in here is too large")
            return "{}"

    def _expect_no_open(self) -> None:
        for path in self._open.values():
            self.flaw(path, "this call has no result: write it as `- result: {…}` before the next message")
        self._open.clear()

    def _add(self, message: Fields, path: Path) -> None:
        self.made.append(message)
        self.places.append(path)


def is_object(text: str) -> bool:
    """Tell whether a text is a JSON object, as the arguments of a call are."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
