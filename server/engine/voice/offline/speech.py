"""Hears and speaks by models that are installed with the extra `voice`; nothing is downloaded."""

import importlib.util

from server.engine.voice.offline import recognising, speaking
from server.engine.voice.offline.detecting import SpeechDetector
from server.engine.voice.offline.recognising import WhisperRecogniser
from server.engine.voice.offline.speaking import PiperSynthesiser
from server.errors import Unavailable

INSTALL = "pip install 'greenroom[voice]'"


class OfflineSpeech:
    """A detector, Whisper and Piper; one for the process, because Piper is a process of its own."""

    def __init__(self) -> None:
        self._recogniser = WhisperRecogniser()
        self._synthesiser = PiperSynthesiser()

    @property
    def recogniser(self) -> WhisperRecogniser:
        """Return what turns speech into words."""
        return self._recogniser

    @property
    def synthesiser(self) -> PiperSynthesiser:
        """Return what turns words into speech."""
        return self._synthesiser

    def detector(self, *, quiet: float = 0.6) -> SpeechDetector:
        """Return what tells speech from silence; speech has ended after so many seconds of silence."""
        return SpeechDetector(quiet=quiet)

    async def open(self) -> None:
        """Load the models, once for the process; raises Unavailable with what is missing."""
        if (lacks := speech_lacks()) is not None:
            raise Unavailable(lacks, retryable=False)
        await self._synthesiser.load()
        await self._recogniser.load()

    async def aclose(self) -> None:
        """End what was started."""
        await self._synthesiser.aclose()


def speech_lacks() -> str | None:
    """Return why nothing here hears and speaks, None when all of it is installed."""
    names = missing()
    return f"Voice needs packages that are not installed ({', '.join(names)}): {INSTALL}." if names else None


def missing() -> list[str]:
    """Return the packages of the extra that are needed and not there."""
    ours = [name for name in ("webrtcvad", "soxr") if importlib.util.find_spec(name) is None]
    return [*ours, *recognising.missing(), *speaking.missing()]
