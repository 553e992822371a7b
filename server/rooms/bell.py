"""The bell: tells other processes of entries. It may be lost; nothing depends on it (core §1.8, §2)."""

from collections.abc import Sequence
from typing import Protocol

from server.rooms.entry import Entry


class Bell(Protocol):
    """Announces entries to the other processes."""

    def ring(self, room: str, entries: Sequence[Entry]) -> None:
        """Announce entries that are in the log; never blocks and never fails."""


class LocalBell:
    """A bell for one process: everybody has heard already."""

    def ring(self, room: str, entries: Sequence[Entry]) -> None:
        """Do nothing, because there is no other process."""
