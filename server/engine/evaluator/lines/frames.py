"""The frames of an agent, read: JSON objects as evaluators §2 knows them, made fit to be stored."""

import json
import math
from collections.abc import Iterator
from typing import Literal

import orjson

from schemas.envelope import JsonObject
from server.engine.evaluator.lines.line import Called, Heard, HungUp, Ignored, Said, Told

MAX_TEXT = 64 * 1024  # characters of what is said, and bytes of what functions and metadata hold
MAX_SHOWN = 500  # of a frame that says nothing
CUT = " […cut here: longer than 65,536 characters]"
_MAX_VALUES = 100_000  # so many take ten megabytes and 20 ms while they are read, and nothing else is done
_MAX_KEPT = 10_000  # of the values of one object
_MAX_DEPTH = 24  # what is stored around it has levels of its own
_MAX_NUMBER = 2**63
_ENDS = ("end_call", "end")
_ROLES: dict[str, Literal["Function Call", "Function Call Result"]] = {
    "function call": "Function Call",
    "function call result": "Function Call Result",
}


def read(frame: bytes, at: float) -> list[Heard]:
    """Return what a text frame tells, in order; never fails, whatever it holds."""
    fields = _object(frame)
    if fields is None:
        return [ignored(frame, at)]
    found = [*_metadata(fields, at), *_message(fields, at)]
    if fields.get("type") in _ENDS:
        found.append(HungUp(at=at))
    return found or [ignored(frame, at)]


def ignored(frame: bytes, at: float) -> Ignored:
    """Return a frame that says nothing, with the beginning of its text."""
    text = frame[: 4 * MAX_SHOWN].decode("utf-8", "replace")[:MAX_SHOWN]
    return Ignored(size=len(frame), at=at, text=storable_text(text))


def storable_text(text: str) -> str:
    """Return a text without what no database holds: NUL characters and halves of surrogate pairs."""
    if "\0" in text:
        text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _message(fields: JsonObject, at: float) -> Iterator[Heard]:
    role = fields.get("role")
    function = _ROLES.get(role.strip().lower()) if isinstance(role, str) else None
    if function is not None:
        data = _bounded(fields.get("data"))
        if data:
            yield Called(role=function, data=data, at=at)
        return
    content = fields.get("content")
    if isinstance(content, str) and content.strip() and fields.get("type") != "end":
        yield Said(text=cut(content), at=at)


def cut(text: str) -> str:
    """Return a text as it is kept; what is too long says that it was cut."""
    return storable_text(text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + CUT)


def _metadata(fields: JsonObject, at: float) -> Iterator[Heard]:
    metadata = _bounded(fields.get("metadata"))
    if metadata:
        yield Told(metadata=metadata, at=at)


def _bounded(value: object) -> JsonObject | None:
    """Return an object fit to be stored; None for what is none; what is too large becomes a note on it."""
    if not isinstance(value, dict):
        return None
    try:
        kept = _Copy().of_object(value, 0)
        if len(orjson.dumps(kept)) <= MAX_TEXT:
            return kept
    except _TooMuch:
        pass
    note = {key: storable_text(value[key]) for key in ("id", "name") if _is_short(value.get(key))}
    return {**note, "cut": f"more than {MAX_TEXT:,} bytes or {_MAX_KEPT:,} values are not kept"}


def _is_short(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 200


class _TooMuch(Exception):
    """There are more values than are kept."""


class _Copy:
    """Copies JSON as a database can hold it."""

    def __init__(self) -> None:
        self._values = 0

    def of_object(self, value: JsonObject, depth: int) -> JsonObject:
        return {storable_text(key): self._of(item, depth + 1) for key, item in value.items()}

    def _of(self, value: object, depth: int) -> object:
        self._values += 1
        if self._values > _MAX_KEPT:
            raise _TooMuch
        match value:
            case str():
                return storable_text(value)
            case dict() | list() if depth >= _MAX_DEPTH:
                return "[nested too deep]" if value else value
            case dict():
                return self.of_object(value, depth)
            case list():
                return [self._of(item, depth + 1) for item in value]
            case float() if not math.isfinite(value):
                return str(value)
            case int() | float() if not -_MAX_NUMBER <= value < _MAX_NUMBER:
                return str(value)
        return value


def _object(frame: bytes) -> JsonObject | None:
    if frame.count(b",") + frame.count(b"[") + frame.count(b"{") > _MAX_VALUES:
        return None
    try:
        value = orjson.loads(frame)
    except orjson.JSONDecodeError:
        value = _lenient(frame)
    return value if isinstance(value, dict) else None


def _lenient(frame: bytes) -> object:
    """Read JSON with what only Python's reader takes: halves of surrogate pairs, NaN, broken UTF-8."""
    if not frame.lstrip().startswith(b"{"):
        return None
    try:
        return json.loads(frame.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
