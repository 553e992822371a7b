"""Texts without what could mislead the readers of a report."""

import re

MAX_TEXT = 4_000  # characters of one text in a report for people
# What XML cannot hold, and what would turn the order of the letters around it.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_DIRECTIONS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Return a text without control characters, besides tabs and line ends, and without bidi overrides."""
    return _DIRECTIONS.sub("", _CONTROLS.sub("", text))


def cut(text: str, most: int = MAX_TEXT) -> str:
    """Return a text that is not too long for people to read."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most} characters more)"
