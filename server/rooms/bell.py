"""The bell: tells other processes of entries. It may be lost; nothing depends on it (core §1.8, §2)."""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from server.rooms.entry import Entry, Sound

Told = Literal[
    "stop_reply", "stop_answer", "stop_run", "stop_batch", "end_calls", "end_call", "session", "socket"
]


class Listener(Protocol):
    """What hears the bell: the rooms of this process."""

    def announced(self, room: str, entries: list[Entry]) -> None:
        """Take entries that another process has put into the log."""

    def announced_number(self, room: str, n: int) -> None:
        """Take the number of an entry that another process has put into the log."""

    def listening(self, room: str) -> None:
        """Take note that a room is heard from now on; what came before may have been missed."""

    def flashed(self, room: str, name: str, data: bytes) -> None:
        """Take an event without an offset for who follows the room now."""

    def heard_sound(self, sound: Sound) -> None:
        """Take a piece of sound from another process."""


class Bell(Protocol):
    """Announces entries to the other processes, and tells one of them what it would find out later.

    Nothing here blocks or fails, whatever becomes of the way to the others.
    """

    @property
    def healthy(self) -> bool:
        """Tell whether the others are heard; if not, followed rooms are to be read again and again."""

    @property
    def age(self) -> float:
        """Return the seconds since the bell was last known to work."""

    @property
    def ignored(self) -> int:
        """Return how many messages were forged, broken or outdated."""

    def attach(self, listener: Listener) -> None:
        """Tell everything heard to a listener."""

    async def run(self) -> None:
        """Carry announcements until cancelled."""

    async def listen(self, room: str) -> bool:
        """Hear a room; True when what is announced from now on arrives, False soon when that is not sure."""

    def ignore(self, room: str) -> None:
        """Hear a room no more."""

    def ring(self, room: str, entries: Sequence[Entry]) -> None:
        """Announce entries that are in the log."""

    def flash(self, room: str, name: str, data: bytes) -> None:
        """Send an event without an offset to who follows a room now, in every process; it may be lost."""

    def sound(self, sound: Sound) -> None:
        """Send a piece of sound to the other processes that follow its room; it may be lost."""

    def tell(self, process: str, what: Told, key: str) -> None:
        """Tell a process something that it finds out by itself a little later."""

    def on_told(self, what: Told, call: Callable[[str], object]) -> None:
        """Have `call` run with the key when this process is told something."""


class LocalBell:
    """A bell for one process: everybody has heard already."""

    healthy = True
    age = 0.0
    ignored = 0

    def __init__(self, process: str) -> None:
        self._process = process
        self._calls: dict[Told, Callable[[str], object]] = {}
        self._listener: Listener | None = None

    def attach(self, listener: Listener) -> None:
        """Tell everything heard to a listener."""
        self._listener = listener

    async def run(self) -> None:
        """Return, because there is nothing to carry."""

    async def listen(self, room: str) -> bool:
        """Return True, because there is nothing to hear."""
        return True

    def ignore(self, room: str) -> None:
        """Do nothing, because there is nothing to hear."""

    def ring(self, room: str, entries: Sequence[Entry]) -> None:
        """Do nothing, because there is no other process."""

    def flash(self, room: str, name: str, data: bytes) -> None:
        """Send an event without an offset to who follows a room now."""
        if self._listener is not None:
            self._listener.flashed(room, name, data)

    def sound(self, sound: Sound) -> None:
        """Do nothing, because there is no other process."""

    def tell(self, process: str, what: Told, key: str) -> None:
        """Tell this process, if it is meant."""
        if process == self._process and (call := self._calls.get(what)) is not None:
            call(key)

    def on_told(self, what: Told, call: Callable[[str], object]) -> None:
        """Have `call` run with the key when this process is told something."""
        self._calls[what] = call
