"""Identifiers: random, or derived so that doing something again gives the same ones."""

from uuid import UUID, uuid4, uuid5

from schemas.envelope import Id

_NAMESPACE = UUID("6f1c2a51-7f0e-4a53-9a42-0d6b1d6cf6a1")


def new() -> Id:
    """Return a random id."""
    return str(uuid4())


def derive(*parts: str) -> Id:
    """Return the id that belongs to these parts, the same every time."""
    return str(uuid5(_NAMESPACE, "\x1f".join(parts)))
