"""Tells speech from silence: WebRTC's detector, a floor of noise under it, and some patience. No I/O."""

from collections import deque
from typing import Any

import numpy as np

from server.engine.voice.speech import HEARD_RATE, SAMPLE_BYTES, SpeechBegan, SpeechChange, SpeechEnded

FRAME_SECONDS = 0.02  # one of the three lengths that WebRTC's takes
FRAME_BYTES = int(HEARD_RATE * FRAME_SECONDS) * SAMPLE_BYTES
MODE = 2  # of 0 to 3: how sure it must be that a frame is speech
BEGIN_WINDOW, BEGIN_FRAMES = 6, 4  # speech begins with so many voiced frames among so many
FRAMES_BEFORE = 12  # a soft consonant comes before what is heard as voice
FRAMES_AFTER = 10
LONGEST_SECONDS = 60.0
FLOOR_FRAMES = 75  # speech has gaps within that time, a hum has none
ABOVE_FLOOR = 2.0
STEADY = 1.25  # times as loud as the quietest
LEAST_LOUDNESS = 25.0  # of 32,768, above the noise of a good sound card


class SpeechDetector:
    """Finds speech in one stream of sound; a speech that does not end is cut into turns."""

    def __init__(self, *, quiet: float = 0.6, longest: float = LONGEST_SECONDS) -> None:
        import webrtcvad  # of an extra

        self._vad: Any = webrtcvad.Vad(MODE)
        self._quiet_frames = max(1, round(quiet / FRAME_SECONDS))
        self._longest_frames = round(longest / FRAME_SECONDS)
        self._rest = b""
        self._frames = 0  # of what was fed
        self._loudness: deque[float] = deque(maxlen=FLOOR_FRAMES)
        self._recent: deque[tuple[bytes, bool]] = deque(maxlen=BEGIN_WINDOW + FRAMES_BEFORE)
        self._speech: list[bytes] | None = None
        self._began = 0
        self._silent = 0

    @property
    def speaking(self) -> bool:
        """Tell whether somebody speaks."""
        return self._speech is not None

    @property
    def so_far(self) -> bytes:
        """Return what was said since the speech began that goes on, at HEARD_RATE."""
        return b"".join(self._speech or ())

    @property
    def fed(self) -> float:
        """Return the seconds that were fed."""
        return self._frames * FRAME_SECONDS

    @property
    def until(self) -> float:
        """Return when the speech that goes on was last heard; it is its end if nothing follows."""
        return (self._frames - self._silent) * FRAME_SECONDS

    def feed(self, audio: bytes) -> list[SpeechChange]:
        """Take sound at HEARD_RATE in pieces of any length, and return what changed."""
        sound = self._rest + audio
        whole = len(sound) - len(sound) % FRAME_BYTES
        self._rest = sound[whole:]
        frames = (sound[at : at + FRAME_BYTES] for at in range(0, whole, FRAME_BYTES))
        return [change for frame in frames if (change := self._heard(frame)) is not None]

    def flush(self) -> list[SpeechChange]:
        """End what is being said, because nothing more comes."""
        self._rest = b""
        self._recent.clear()
        return [self._end()] if self._speech is not None else []

    def _heard(self, frame: bytes) -> SpeechChange | None:
        self._frames += 1
        voiced = self._voiced(frame)
        if self._speech is None:
            return self._waiting(frame, voiced)
        self._speech.append(frame)
        self._silent = 0 if voiced else self._silent + 1
        if self._silent >= self._quiet_frames or len(self._speech) >= self._longest_frames:
            return self._end()
        return None

    def _voiced(self, frame: bytes) -> bool:
        # The difference of neighbours weakens hum, and with it speech far less.
        changes = np.diff(np.frombuffer(frame, "<i2").astype(np.float32))
        loudness = float(np.sqrt(np.mean(changes * changes)))
        self._loudness.append(loudness)
        floor = max(LEAST_LOUDNESS, ABOVE_FLOOR * min(self._loudness))
        # It is always asked, because it learns what the noise is from what it is given.
        speech: bool = self._vad.is_speech(frame, HEARD_RATE)
        return speech and loudness > floor

    def _waiting(self, frame: bytes, voiced: bool) -> SpeechChange | None:
        self._recent.append((frame, voiced))
        window = [is_voiced for _, is_voiced in self._recent][-BEGIN_WINDOW:]
        if sum(window) < BEGIN_FRAMES or self._is_steady(window):
            return None
        self._began = self._frames - len(window) + window.index(True)
        self._speech = [kept for kept, _ in self._recent]
        self._silent = 0
        self._recent.clear()
        return SpeechBegan(at=self._began * FRAME_SECONDS)

    def _is_steady(self, window: list[bool]) -> bool:
        """Tell whether what is voiced is as loud as machines are; its first frame may differ."""
        latest = list(self._loudness)[-len(window) :]
        voiced = sorted(loudness for loudness, is_voiced in zip(latest, window, strict=True) if is_voiced)
        return voiced[-1] < STEADY * voiced[1]

    def _end(self) -> SpeechEnded:
        assert self._speech is not None
        left_out = max(0, self._silent - FRAMES_AFTER)
        frames = self._speech[: len(self._speech) - left_out]
        ended = SpeechEnded(began=self._began * FRAME_SECONDS, at=self.until, audio=b"".join(frames))
        self._speech, self._silent = None, 0
        return ended
