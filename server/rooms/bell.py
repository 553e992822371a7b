"""The bell: tells other processes of entries. It may be lost; nothing depends on it (core §1.8, §2)."""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from server.rooms.entry import Entry

Told = Literal["stop_reply", "stop_run", "session"]


class Bell(Protocol):
    """Announces entries to the other processes, and tells one of them what it would find out later."""

    def ring(self, room: str, entries: Sequence[Entry]) -> None:
        """Announce entries that are in the log; never blocks and never fails."""

    def tell(self, process: str, what: Told, key: str) -> None:
        """Tell a process something that it finds out by itself a little later; never blocks or fails."""

    def on_told(self, what: Told, call: Callable[[str], None]) -> None:
        """Have `call` run with the key when this process is told something."""


class LocalBell:
    """A bell for one process: everybody has heard already."""

    def __init__(self, process: str) -> None:
        self._process = process
        self._calls: dict[Told, Callable[[str], None]] = {}

    def ring(self, room: str, entries: Sequence[Entry]) -> None:
        """Do nothing, because there is no other process."""

    def tell(self, process: str, what: Told, key: str) -> None:
        """Tell this process, if it is meant."""
        if process == self._process and (call := self._calls.get(what)) is not None:
            call(key)

    def on_told(self, what: Told, call: Callable[[str], None]) -> None:
        """Have `call` run with the key when this process is told something."""
        self._calls[what] = call
