"""What a transcript says about turns, waits and functions."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from schemas.envelope import JsonObject
from schemas.evaluator_run import Talked, TranscriptItem

MAX_DEPTH = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenTurn:
    """What one side said until the other one spoke; times in seconds since the connection."""

    agent: bool
    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionUse:
    """A function that the agent called; `result` is None when none was told."""

    name: str
    data: JsonObject
    result: object = None
    answered: bool = False

    @property
    def failed(self) -> bool:
        """Tell whether no result was told, or one that says it is an error."""
        return not self.answered or _is_error(self.result)


def spoken_turns(transcript: Sequence[TranscriptItem]) -> list[SpokenTurn]:
    """Return the turns of both sides; several frames of an answer are one turn."""
    turns: list[SpokenTurn] = []
    parts: list[TranscriptItem] = []
    for item in transcript:
        if item.role not in ("Testing Agent", "Main Agent") or not item.content.strip():
            continue
        if parts and parts[0].role != item.role:
            turns.append(_turn(parts))
            parts = []
        parts.append(item)
    return [*turns, _turn(parts)] if parts else turns


def waits(turns: Sequence[SpokenTurn]) -> list[float]:
    """Return how long the agent took for each answer, from the caller's last word to its own first."""
    return [max(0.0, b.start - a.end) for a, b in pairwise(turns) if b.agent and not a.agent]


def functions(transcript: Sequence[TranscriptItem]) -> list[FunctionUse]:
    """Return the functions that were called, with the first result that bears the same id."""
    results: dict[str, object] = {}
    for item in transcript:
        if item.role == "Function Call Result" and item.data is not None:
            results.setdefault(_key(item.data), item.data.get("result"))
    return [
        _use(item.data, results)
        for item in transcript
        if item.role == "Function Call" and item.data is not None
    ]


def facts(talked: Talked) -> JsonObject:
    """Return what expressions read as `data`; arguments and results of functions as what their JSON holds."""
    return {
        "transcript": [
            plain({**item.model_dump(exclude={"data"}), "data": item.data}) for item in talked.transcript
        ],
        "turns": sum(turn.agent for turn in spoken_turns(talked.transcript)),
        "tools": [_tool(use) for use in functions(talked.transcript)],
        "duration": talked.duration,
        "metadata": plain(talked.metadata),
        "ended_reason": talked.ended_reason,
    }


def plain(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return JSON as expressions and prompts can hold it.

    What lies too deep is left out, so that nothing an agent sends exhausts the stack; an integer of more than
    64 bits becomes a floating-point number, and half a surrogate pair a question mark.
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()
    if isinstance(value, dict | list) and not depth:
        return None
    if isinstance(value, dict):
        return {plain(key): plain(part, depth - 1) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part, depth - 1) for part in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value) if abs(value) < 10**300 else None
    return value


def _turn(parts: Sequence[TranscriptItem]) -> SpokenTurn:
    return SpokenTurn(
        agent=parts[0].role == "Main Agent",
        text=" ".join(part.content for part in parts),
        start=parts[0].start_time,
        end=max(part.end_time for part in parts),
    )


def _use(data: JsonObject, results: dict[str, object]) -> FunctionUse:
    key = _key(data)
    return FunctionUse(
        name=str(data.get("name", "")), data=data, result=results.get(key), answered=key in results
    )


def _key(data: JsonObject) -> str:
    return json.dumps(plain(data.get("id")))


def _decoded(value: object) -> object:
    """Return what a text of JSON holds when that is an object or a list, else the value itself."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _tool(use: FunctionUse) -> JsonObject:
    read = {"arguments": _decoded(use.data.get("arguments")), "result": _decoded(use.result)}
    found: JsonObject = plain({**use.data, **read, "answered": use.answered, "failed": use.failed})
    return found


def _is_error(result: object) -> bool:
    """Tell whether a result says that it is an error: in its fields, or as a text that begins with it."""
    value = _decoded(result)
    if isinstance(value, str):
        return value.strip().lower().startswith(("error", "exception", "traceback"))
    if not isinstance(value, dict):
        return False
    fails = (value.get("success") is False, value.get("ok") is False, value.get("status") == "error")
    return bool(value.get("error") or value.get("isError")) or any(fails)
