"""Say which values JSON has, and how many of them one document may come to."""

import math
import sys

MAX_DEPTH = 100
MAX_VALUES = 1_000_000
MAX_TEXT = 16 * 1024 * 1024  # characters of all texts: twice what may be fetched


class TooMuch(Exception):
    """Says that a document comes to more than one may."""


def number(value: int | float, *, written: str) -> int | float | str:
    """Return a number that JSON has: large ones as it reads them, others as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if -(2**63) <= value < 2**64:
        return value
    return float(value) if abs(value) <= sys.float_info.max else written  # str of a long one raises


def clean(text: str) -> str:
    """Return a text without what is no character, which YAML can escape."""
    return text.encode("utf-8", "replace").decode()
