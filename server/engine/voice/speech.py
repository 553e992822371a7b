"""What turns sound into words and words into sound, whoever does it.

Sound is PCM everywhere: 16 bit, little-endian, one channel, at a rate that is named where it matters.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

SAMPLE_BYTES = 2
HEARD_RATE = 16_000  # Hz, of what is recognised
CHAT_RATE = 24_000  # Hz, of what clients of a chat send and hear


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechBegan:
    """Somebody began to speak; `at` in seconds of what was fed, and so a little before it was noticed."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechEnded:
    """Somebody has spoken from `began` to `at`, in seconds of what was fed; `audio` is at HEARD_RATE."""

    began: float
    at: float
    audio: bytes


SpeechChange = SpeechBegan | SpeechEnded


class Detector(Protocol):
    """Tells speech from silence in one stream. No I/O."""

    @property
    def speaking(self) -> bool:
        """Tell whether somebody speaks."""

    @property
    def so_far(self) -> bytes:
        """Return what was said since the speech began that goes on, at HEARD_RATE."""

    @property
    def until(self) -> float:
        """Return when the speech that goes on was last heard, in seconds of what was fed."""

    def feed(self, audio: bytes) -> list[SpeechChange]:
        """Take sound at HEARD_RATE in pieces of any length, and return what changed."""

    def flush(self) -> list[SpeechChange]:
        """End what is being said, because nothing more comes."""


class Recogniser(Protocol):
    """Turns speech into words."""

    async def text_of(self, audio: bytes, *, language: str) -> str:
        """Return what is said in some sound at HEARD_RATE, empty when nothing is; raises Unavailable."""


class Synthesiser(Protocol):
    """Turns words into speech, sentence by sentence."""

    @property
    def rate(self) -> int:
        """Return the samples per second of what it says."""

    def speak(self, text: str, *, speed: float = 1.0) -> AsyncGenerator[bytes, None]:
        """Yield the sound of a text in pieces; closing the generator stops it. Raises Unavailable."""


class Speech(Protocol):
    """All that voice needs of an engine that hears and speaks by itself."""

    @property
    def recogniser(self) -> Recogniser:
        """Return what turns speech into words."""

    @property
    def synthesiser(self) -> Synthesiser:
        """Return what turns words into speech."""

    def detector(self, *, quiet: float = 0.6) -> Detector:
        """Return what tells speech from silence; speech has ended after so many seconds of silence."""

    async def open(self) -> None:
        """Load the models, once for the process; raises Unavailable with what is missing."""

    async def aclose(self) -> None:
        """End what was started."""
