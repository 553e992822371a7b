"""The line to somebody's agent, whatever carries it: what is heard on it, and what can be said."""

from dataclasses import dataclass
from typing import Literal, Protocol

from schemas.envelope import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The agent said something; `at` in seconds of time.monotonic(), as everywhere here."""

    text: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """The agent called a function, or had the result of one."""

    role: Literal["Function Call", "Function Call Result"]
    data: JsonObject
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The agent told something about the run."""

    metadata: JsonObject
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A frame that says nothing: plain text, binary, or JSON without a content; `text` is its beginning."""

    size: int
    at: float
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HungUp:
    """The agent ended the call by its message."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The line is closed; nothing more is heard. `reason` is for people."""

    at: float
    reason: str


Heard = Said | Called | Told | Ignored | HungUp | Gone


class NotConnected(Exception):
    """The agent could not be called; the text says why, for people."""


class LineClosed(Exception):
    """Nothing can be said any more, because the other side has closed the line."""


class AgentLine(Protocol):
    """One connection to an agent."""

    async def open(self) -> None:
        """Connect; raises NotConnected."""

    async def hear(self) -> Heard:
        """Return what is heard next; after Gone it is Gone again. Cancelling loses nothing."""

    async def say(self, text: str, *, end: bool = False) -> None:
        """Send a turn, with `end` as the last one; raises LineClosed."""

    async def close(self) -> None:
        """Close the connection, within seconds; may be called twice."""
