"""Tools as endpoints take them, and the calls that models stream in fragments."""

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from pydantic import ValidationError

from schemas.content import Tool, ToolCall
from server.errors import Upstream
from server.llm.turns import ChatTurn

MAX_CALLS = 128
MAX_ARGUMENTS = 32_000
MAX_NAME = 1_000  # far above what a name may have, so that one in fragments does not grow for ever
_SHORT = re.compile("[a-zA-Z0-9]{9}")
_TOO_MANY = f"The model called more than {MAX_CALLS} tools at once; try again, or use a stronger model."
_TOO_LONG = (
    f"The model wrote more than {MAX_ARGUMENTS} characters as arguments of a tool; "
    "try again, or use a stronger model."
)
_ODD_CALL = "The model called a tool in a way that cannot be read; try again, or use a stronger model."


def wire_tool(tool: Tool) -> dict[str, Any]:
    """Return a tool in the form of a request."""
    return {"type": "function", "function": tool.model_dump()}


def wire_turns(turns: Sequence[ChatTurn], *, short_ids: bool = False) -> list[dict[str, Any]]:
    """Return the turns in the form of a request; `short_ids` of calls are nine letters or digits."""
    said_id = _short if short_ids else str
    return [_wire_turn(turn, said_id) for turn in turns]


def _wire_turn(turn: ChatTurn, said_id: Callable[[str], str]) -> dict[str, Any]:
    wire: dict[str, Any] = {**turn}
    if "tool_call_id" in turn:
        wire["tool_call_id"] = said_id(turn["tool_call_id"])
    if calls := turn.get("tool_calls"):
        # Without a text the content is null: some endpoints refuse an empty one.
        wire["content"] = turn["content"] or None
        wire["tool_calls"] = [
            {"id": said_id(c.id), "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in calls
        ]
    return wire


def _short(call_id: str) -> str:
    return call_id if _SHORT.fullmatch(call_id) else hashlib.sha256(call_id.encode()).hexdigest()[:9]


class CallParts:
    """Joins the fragments of a reply's tool calls, also those of endpoints that leave out index or id."""

    def __init__(self) -> None:
        self._calls: list[_Part] = []

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, fragments: list[dict[str, Any]]) -> None:
        """Take the fragments of one chunk; raises Upstream when there are too many, or one is too long."""
        for fragment in fragments:
            function = fragment.get("function") or {}
            given = _text(function.get("arguments"))
            call = self._call(fragment, function.get("name"), given)
            call.take(fragment.get("id"), function.get("name"), given)

    def add_whole(self, calls: list[dict[str, Any]]) -> None:
        """Take the calls of a reply that is not streamed, none of them in fragments; raises like `add`."""
        for call in calls:
            function = call.get("function") or {}
            part = self._begin(None)
            part.take(call.get("id"), function.get("name"), _text(function.get("arguments")))

    def whole(self) -> list[ToolCall]:
        """Return the calls once the reply is whole, with ids made up where they are missing or not unique.

        Raises Upstream when one has no name.
        """
        seen: set[str] = set()
        calls: list[ToolCall] = []
        for part in self._calls:
            call_id = part.id if part.id and part.id not in seen else f"call_{secrets.token_hex(8)}"
            seen.add(call_id)
            try:
                calls.append(ToolCall(id=call_id, name=part.name, arguments=part.arguments.strip() or "{}"))
            except ValidationError:
                raise Upstream(_ODD_CALL) from None
        return calls

    def _call(self, fragment: dict[str, Any], name: str | None, given: str) -> "_Part":
        """Return the call that a fragment belongs to, a new one when it begins one."""
        index, call_id = fragment.get("index"), fragment.get("id")
        for part in reversed(self._calls):
            if (index is None or index == part.index) and not part.ended_by(call_id, name, given):
                return part
        return self._begin(index)

    def _begin(self, index: int | None) -> "_Part":
        if len(self._calls) == MAX_CALLS:
            raise Upstream(_TOO_MANY)
        self._calls.append(_Part(index))
        return self._calls[-1]


class _Part:
    """One call as far as it has come."""

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.arguments = ""

    def ended_by(self, call_id: str | None, name: str | None, given: str) -> bool:
        """Tell whether a fragment for this index begins another call: some endpoints do not count them."""
        if not name:
            return bool(call_id and self.index is None and call_id != self.id)
        if call_id and self.id:
            return call_id != self.id
        if self.index is None and not call_id:
            return True
        return bool(given) and _is_whole(self.arguments)

    def take(self, call_id: str | None, name: str | None, given: str) -> None:
        """Add a fragment; a name that is sent again with every fragment is taken once."""
        self.id = self.id or str(call_id or "")
        if name and name != self.name:
            self.name += name
        if len(self.name) > MAX_NAME:
            raise Upstream(_ODD_CALL)
        self.arguments += given
        if len(self.arguments) > MAX_ARGUMENTS:
            raise Upstream(_TOO_LONG)


def _text(arguments: object) -> str:
    """Return arguments as the text that they should be; some endpoints send null, or the object itself."""
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return orjson.dumps(arguments).decode()


def _is_whole(arguments: str) -> bool:
    try:
        orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return False
    return True
