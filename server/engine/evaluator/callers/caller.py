"""The caller's part: what somebody who calls an agent does next."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.envelope import Usage
from schemas.evaluator_run import TranscriptItem


@dataclass(frozen=True, slots=True)
class Say:
    """Say something; `speed` and `volume` are times what is usual, and act where it is spoken."""

    text: str
    speed: float = 1.0
    volume: float = 1.0


@dataclass(frozen=True, slots=True)
class Silence:
    """Say nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Press:
    """Press keys of a telephone."""

    digits: str


@dataclass(frozen=True, slots=True)
class EndCall:
    """End the call; what is said just before goes with it."""


Step = Say | Silence | Press | EndCall
Turn = tuple[Step, ...]  # empty: wait for what the agent says next


class Caller(Protocol):
    """Somebody who calls an agent. Cancelling is safe."""

    @property
    def usage(self) -> Usage:
        """Return what the models' answers used so far."""

    async def opening(self) -> Turn | None:
        """Return what the caller begins with; None lets the agent begin. Raises Upstream."""

    async def answer(self, transcript: Sequence[TranscriptItem]) -> Turn:
        """Return what the caller does after an agent's turn, given all that was said. Raises Upstream."""
