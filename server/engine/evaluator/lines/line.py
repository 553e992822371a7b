"""The line to somebody's agent, whatever carries it: what is heard on it, and what can be said."""

from dataclasses import dataclass
from typing import Literal, Protocol

from schemas.envelope import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The agent said something; `at` in seconds of time.monotonic(), as everywhere here.

    What was spoken has `ended` some time later; Speaks came before it.
    """

    text: str
    at: float
    ended: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaks:
    """The agent begins to speak; Said or Hushed follows when it is quiet, and was understood."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hushed:
    """What sounded like speech held no words."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What we have said aloud: from when to when, and how much of it, if the agent has cut it off."""

    began: float
    ended: float
    text: str
    cut: bool


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


Heard = Said | Speaks | Hushed | Called | Told | Ignored | HungUp | Gone


class NotConnected(Exception):
    """The agent could not be called; the text says why, for people. If `final`, another try is in vain."""

    def __init__(self, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.final = final


class LineClosed(Exception):
    """Nothing can be said any more, because the other side has closed the line."""


class AgentLine(Protocol):
    """One connection to an agent."""

    async def open(self) -> None:
        """Connect; raises NotConnected."""

    async def hear(self) -> Heard:
        """Return what is heard next; after Gone it is Gone again. Cancelling loses nothing."""

    async def say(
        self, text: str, *, end: bool = False, speed: float = 1.0, volume: float = 1.0
    ) -> Span | None:
        """Send a turn, with `end` as the last one; raises LineClosed.

        Where it is spoken, what was heard of it is returned; speaking raises Unavailable, too.
        """

    async def press(self, digits: str) -> None:
        """Press keys of a telephone; raises LineClosed."""

    async def close(self) -> None:
        """Close the connection, within seconds; may be called twice."""
