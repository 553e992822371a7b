"""Speech for tests: sentences said by the offline voice, and how many words were misunderstood."""

import re

from server.engine.voice.offline.resampling import resampled
from server.engine.voice.speech import HEARD_RATE, SAMPLE_BYTES, Synthesiser

SENTENCES = (
    "Good morning, I would like to talk about my contract.",
    "The price that you sent us is higher than we expected.",
    "Could you tell me what is included in the yearly fee?",
    "We have worked with another company for three years.",
    "I need an answer before the end of the week.",
    "Thank you very much for your time, goodbye.",
)


async def said(synthesiser: Synthesiser, text: str, *, rate: int = HEARD_RATE) -> bytes:
    """Return the sound of a text at a rate."""
    pieces = [piece async for piece in synthesiser.speak(text)]
    return resampled(b"".join(pieces), synthesiser.rate, rate)


def silence(seconds: float, *, rate: int = HEARD_RATE) -> bytes:
    """Return sound of nothing."""
    return bytes(int(seconds * rate) * SAMPLE_BYTES)


def seconds_of(audio: bytes, *, rate: int = HEARD_RATE) -> float:
    """Return how long some sound is."""
    return len(audio) / SAMPLE_BYTES / rate


def words_of(text: str) -> list[str]:
    """Return the words of a text as they are said."""
    return re.findall(r"[a-z0-9']+", text.lower())


def word_errors(meant: str, heard: str) -> float:
    """Return the word error rate: words that are wrong, missing or too many, of those that were meant."""
    wanted, got = words_of(meant), words_of(heard)
    row = list(range(len(got) + 1))
    for i, word in enumerate(wanted, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(got, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1] / max(1, len(wanted))
