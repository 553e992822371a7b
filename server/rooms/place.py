"""Where a client begins to follow a room (core §5)."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a client begins to follow: after `cursor`; `offset` is the head, or the snapshot's offset."""

    room: str
    epoch: str
    offset: int
    cursor: int
    recovered: bool
    snapshot: dict[str, Any] | None = None
