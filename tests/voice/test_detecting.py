"""Speech is told from silence, noise and machines, soon and with its beginning."""

from collections.abc import Iterable

import numpy as np
import pytest

from server.engine.voice.offline.detecting import SpeechDetector
from server.engine.voice.offline.speech import OfflineSpeech
from server.engine.voice.speech import HEARD_RATE, SpeechBegan, SpeechChange, SpeechEnded
from tests.support.voices import SENTENCES, said, seconds_of, silence, words_of

RANDOM = np.random.default_rng(7)


def noise(seconds: float, loudness: float) -> bytes:
    return RANDOM.normal(0, loudness, int(HEARD_RATE * seconds)).astype("<i2").tobytes()


def hum(seconds: float, hertz: float, loudness: float) -> bytes:
    at = np.arange(int(HEARD_RATE * seconds)) / HEARD_RATE
    overtones = np.sum([np.sin(2 * np.pi * hertz * n * at) / n for n in (1, 2, 3)], axis=0)
    return bytes((loudness * overtones).astype("<i2").tobytes())


def mixed(one: bytes, other: bytes) -> bytes:
    length = min(len(one), len(other))
    total = np.frombuffer(one[:length], "<i2").astype(int) + np.frombuffer(other[:length], "<i2")
    return bytes(total.clip(-32_768, 32_767).astype("<i2").tobytes())


def edges(speech: bytes) -> tuple[float, float]:
    """Return where a sound without noise begins to be heard, and where it ends."""
    loud = np.nonzero(np.abs(np.frombuffer(speech, "<i2").astype(int)) > 300)[0]
    return loud[0] / HEARD_RATE, loud[-1] / HEARD_RATE


def fed(
    detector: SpeechDetector, audio: bytes, *, piece: int = 1_280
) -> Iterable[tuple[float, SpeechChange]]:
    """Yield the changes with how many seconds had been fed."""
    for at in range(0, len(audio), piece):
        for change in detector.feed(audio[at : at + piece]):
            yield seconds_of(audio[: at + piece]), change


@pytest.mark.parametrize("loudness", [0, 30])
async def test_speech_is_noticed_soon_and_ends_after_the_quiet(
    speech: OfflineSpeech, loudness: float
) -> None:
    sentence = await said(speech.synthesiser, SENTENCES[0])
    first, last = edges(sentence)
    audio = silence(1) + sentence + silence(1.5)
    detector = SpeechDetector(quiet=0.5)
    [(noticed, began), (known, ended)] = fed(detector, mixed(audio, noise(10, loudness)))
    assert isinstance(began, SpeechBegan)
    assert isinstance(ended, SpeechEnded)
    assert abs(began.at - (1 + first)) < 0.2
    assert noticed - began.at < 0.25
    assert abs(ended.at - (1 + last)) < 0.3  # noise covers the last of it
    assert 0.45 < known - ended.at < 0.65
    assert ended.began == began.at
    assert ended.at - ended.began + 0.1 < seconds_of(ended.audio) < ended.at - ended.began + 0.6
    assert not detector.speaking


async def test_its_words_are_all_there(speech: OfflineSpeech) -> None:
    """The beginning is kept from before it was noticed."""
    sentence = await said(speech.synthesiser, "Go away, please.")
    [_, (_, ended)] = fed(SpeechDetector(quiet=1.0), silence(1) + sentence + silence(2))
    assert isinstance(ended, SpeechEnded)
    heard = await speech.recogniser.text_of(ended.audio, language="en")
    assert words_of(heard) == ["go", "away", "please"]


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(silence(3), id="nothing"),
        pytest.param(noise(4, 300), id="noise"),
        pytest.param(silence(1) + noise(3, 2_000), id="noise that begins"),
        pytest.param(silence(1) + hum(3, 50, 3_000), id="hum"),
        pytest.param(silence(1) + hum(3, 120, 8_000), id="loud hum"),
        pytest.param(silence(1) + hum(3, 440, 3_000), id="tone"),
    ],
)
def test_noise_and_hum_are_no_speech(sound: bytes) -> None:
    detector = SpeechDetector()
    assert list(fed(detector, sound)) == []
    assert detector.flush() == []


async def test_speech_is_heard_in_a_hum(speech: OfflineSpeech) -> None:
    sentence = await said(speech.synthesiser, SENTENCES[1])
    audio = mixed(silence(2) + sentence + silence(2), hum(20, 100, 2_000))
    [(_, began), (_, ended)] = fed(SpeechDetector(), audio)
    assert abs(began.at - 2 - edges(sentence)[0]) < 0.3
    assert abs(ended.at - 2 - edges(sentence)[1]) < 0.3


async def test_pieces_of_any_length_are_the_same(speech: OfflineSpeech) -> None:
    audio = silence(0.5) + await said(speech.synthesiser, SENTENCES[2]) + silence(1)
    whole = [change for _, change in fed(SpeechDetector(), audio, piece=len(audio))]
    assert [change for _, change in fed(SpeechDetector(), audio, piece=333)] == whole
    assert len(whole) == 2


async def test_speech_without_an_end_is_cut_into_turns_and_nothing_is_lost(speech: OfflineSpeech) -> None:
    audio = b"".join([await said(speech.synthesiser, sentence) for sentence in SENTENCES])
    detector = SpeechDetector(longest=4.0)
    changes = [change for _, change in fed(detector, audio + silence(1))]
    turns = [change.audio for change in changes if isinstance(change, SpeechEnded)]
    assert len(turns) > 3
    assert max(map(seconds_of, turns)) <= 4.0
    assert b"".join(turns) in audio + silence(1)


async def test_what_is_being_said_ends_when_nothing_more_comes(speech: OfflineSpeech) -> None:
    sentence = await said(speech.synthesiser, SENTENCES[3])
    detector = SpeechDetector()
    assert [type(change) for change in detector.feed(sentence)] == [SpeechBegan]
    assert 0 < len(detector.so_far) <= len(sentence)
    assert [type(change) for change in detector.flush()] == [SpeechEnded]
    assert not detector.speaking
    assert detector.so_far == b""
    assert detector.flush() == []
