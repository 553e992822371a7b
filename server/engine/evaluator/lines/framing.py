"""How a call's sound and signs are put into frames: what every framing tells and is told. No I/O."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Sound:
    """Sound of the agent, as PCM at HEARD_RATE."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the agent's sound of which it wants to know when it was played."""

    name: str


@dataclass(frozen=True, slots=True)
class Clear:
    """The agent drops what it has sent and was not played yet."""


@dataclass(frozen=True, slots=True)
class SpeechSign:
    """The agent tells that it begins to speak, or has spoken."""

    began: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that cannot be read, or an error that the agent tells; a fatal one closes the line."""

    text: str
    fatal: bool = False
    told: bool = False  # by the agent, so that it is not told back


@dataclass(frozen=True, slots=True)
class Over:
    """The agent ends the call."""


Arrived = Sound | Mark | Clear | SpeechSign | Trouble | Over
Frames = list[str | bytes]


class Framing(Protocol):
    """One call's framing; frames are text or binary messages of a WebSocket."""

    tells_speech: bool  # whether the agent itself tells when it speaks

    def opening(self) -> Frames:
        """Return what is sent when the connection is open."""

    def sound(self, pcm: bytes) -> Frames:
        """Return the frames of 20 ms of our sound, PCM at HEARD_RATE."""

    def speech(self, *, began: bool) -> Frames:
        """Return what tells that we begin to speak, or have spoken."""

    def reached(self, mark: str) -> Frames:
        """Return what tells that a mark was reached."""

    def press(self, digits: str) -> Frames:
        """Return what tells that keys were pressed."""

    def closing(self) -> Frames:
        """Return what is sent before we hang up."""

    def problem(self, text: str) -> Frames:
        """Return what tells the agent that a message of it could not be read."""

    def read(self, message: str | bytes) -> list[Arrived]:
        """Return what a message of the agent tells; never fails, whatever it holds."""
