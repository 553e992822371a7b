"""Identifiers: random, derived so that doing something again gives the same ones, or numbers."""

from uuid import UUID, uuid4, uuid5

from schemas.envelope import MAX_SAFE_INTEGER, Id

MAX_DIGITS = len(str(MAX_SAFE_INTEGER))
_NAMESPACE = UUID("6f1c2a51-7f0e-4a53-9a42-0d6b1d6cf6a1")


def new() -> Id:
    """Return a random id."""
    return str(uuid4())


def derive(*parts: str) -> Id:
    """Return the id that belongs to these parts, the same every time."""
    return str(uuid5(_NAMESPACE, "\x1f".join(parts)))


def number_of(text: str) -> int | None:
    """Return the number that a text is, None for what is none of ours."""
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS and text[0] != "0"):
        return None
    return int(text) if int(text) <= MAX_SAFE_INTEGER else None
