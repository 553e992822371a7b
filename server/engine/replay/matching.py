"""Answers tool calls with what the recording says. Pure: no I/O."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.content import RecordedMessage, ToolCall

NOT_RECORDED = "The recording has no result for this call of {name}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The result of a tool call; `matched` when the recording has this call."""

    result: str
    matched: bool


@dataclass(slots=True)
class _Recorded:
    name: str
    arguments: str
    result: str
    used: bool = False


class Matcher:
    """The tool calls of a recording with their results; each is used once before any is used again."""

    def __init__(self, messages: Sequence[RecordedMessage]) -> None:
        self._recorded: list[_Recorded] = []
        open_calls: dict[str, ToolCall] = {}  # by id, which a recording may use again in a later turn
        for message in messages:
            open_calls |= {call.id: call for call in message.tool_calls}
            call = open_calls.pop(message.tool_call_id or "", None) if message.role == "tool" else None
            if call is not None:
                self._recorded.append(_Recorded(call.name, canonical(call.arguments), message.content))

    def __len__(self) -> int:
        return len(self._recorded)

    def answer(self, call: ToolCall) -> Answer:
        """Return the result of a call with this name and equal arguments, or an error for the model."""
        wanted = canonical(call.arguments)
        equal = [r for r in self._recorded if (r.name, r.arguments) == (call.name, wanted)]
        if not equal:
            return Answer(result=json.dumps({"error": NOT_RECORDED.format(name=call.name)}), matched=False)
        found = next((r for r in equal if not r.used), equal[-1])
        found.used = True
        return Answer(result=found.result, matched=True)


def canonical(arguments: str) -> str:
    """Return the same text for arguments that are equal as JSON; what is no JSON stands for itself."""
    try:
        return json.dumps(json.loads(arguments or "{}", parse_float=_number), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments.strip()


def _number(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() else value
