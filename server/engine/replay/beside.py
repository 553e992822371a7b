"""Puts a replay beside what was recorded: which messages belong together, where texts differ. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

from schemas.content import RecordedMessage
from schemas.test import ReplayedMessage

MAX_WORDS = 2_000  # beyond, finding differences would take too long
ALIKE = 0.35  # below this, words in common are chance
_WORDS = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")  # with the space behind them, which is no likeness


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A recorded message and the replayed one in its place; either may be missing."""

    recorded: RecordedMessage | None
    replayed: ReplayedMessage | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text that the other text has too, or not."""

    text: str
    differs: bool


def pairs(recorded: Sequence[RecordedMessage], replayed: Sequence[ReplayedMessage]) -> list[Pair]:
    """Return the messages of both in order, in pairs of one kind; what the user says holds them together."""
    kinds = [_kind(m) for m in recorded], [_kind(m) for m in replayed]
    matcher = SequenceMatcher(None, *kinds, autojunk=False)
    found: list[Pair] = []
    for _, start, end, other_start, other_end in matcher.get_opcodes():
        both = zip_longest(recorded[start:end], replayed[other_start:other_end])
        found += [Pair(recorded=left, replayed=right) for left, right in both]
    return found


def differences(recorded: str, replayed: str) -> tuple[list[Piece], list[Piece]]:
    """Return both texts in pieces, word by word; texts that have little in common differ as a whole."""
    if recorded == replayed:
        return _pieces(recorded, differs=False), _pieces(replayed, differs=False)
    left, right = _WORDS.findall(recorded), _WORDS.findall(replayed)
    if max(len(left), len(right)) > MAX_WORDS:
        return _pieces(recorded, differs=True), _pieces(replayed, differs=True)
    matcher = SequenceMatcher(None, [w.rstrip() for w in left], [w.rstrip() for w in right])
    if matcher.quick_ratio() < ALIKE or matcher.ratio() < ALIKE:
        return _pieces(recorded, differs=True), _pieces(replayed, differs=True)
    mine: list[Piece] = []
    theirs: list[Piece] = []
    for name, start, end, other_start, other_end in matcher.get_opcodes():
        mine += _pieces("".join(left[start:end]), differs=name != "equal")
        theirs += _pieces("".join(right[other_start:other_end]), differs=name != "equal")
    return mine, theirs


def _kind(message: RecordedMessage | ReplayedMessage) -> str:
    if message.role == "user":
        return f"user {message.content}"
    if message.role == "assistant" and message.tool_calls:
        return f"calls {' '.join(call.name for call in message.tool_calls)}"
    return message.role


def _pieces(text: str, *, differs: bool) -> list[Piece]:
    return [Piece(text, differs)] if text else []
