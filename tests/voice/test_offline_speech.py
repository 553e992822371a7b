"""What Piper says, Whisper understands; and Piper's process may die, or be told to stop."""

import asyncio
import os
import signal
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from server.engine.voice.offline.recognising import words_of
from server.engine.voice.offline.speaking import PiperSynthesiser, sayable
from server.engine.voice.offline.speech import OfflineSpeech
from server.engine.voice.speech import HEARD_RATE, Speech
from server.errors import Unavailable
from tests.support.voices import SENTENCES, said, seconds_of, silence, word_errors

LONG = " ".join(SENTENCES * 4)


async def test_six_sentences_are_understood(speech: Speech) -> None:
    heard = [
        await speech.recogniser.text_of(await said(speech.synthesiser, sentence), language="en")
        for sentence in SENTENCES
    ]
    rates = [word_errors(meant, got) for meant, got in zip(SENTENCES, heard, strict=True)]
    for rate, got in zip(rates, heard, strict=True):
        print(f"WER {rate:.2f}  {got}")
    assert word_errors(" ".join(SENTENCES), " ".join(heard)) <= 0.1


async def test_short_words_and_long_speeches_are_understood(speech: Speech) -> None:
    for text in ("Yes, please.", "Right, go on.", " ".join(SENTENCES * 2)):
        heard = await speech.recogniser.text_of(await said(speech.synthesiser, text), language="en")
        assert word_errors(text, heard) <= 0.2, heard


async def test_words_are_not_invented_where_nobody_speaks(speech: Speech) -> None:
    noise = np.random.default_rng(1).normal(0, 1_000, 2 * HEARD_RATE).astype("<i2").tobytes()
    hum = (3_000 * np.sin(np.arange(2 * HEARD_RATE) * 0.02)).astype("<i2").tobytes()
    sounds = [silence(1), silence(0.05), noise, hum, b"", b"\0"]
    assert [await speech.recogniser.text_of(sound, language="en-GB") for sound in sounds] == [""] * 6


def test_what_whisper_is_not_sure_of_is_left_out() -> None:
    def segment(text: str, no_speech: float = 0.0, sure: float = -0.1, repeated: float = 1.0) -> object:
        return SimpleNamespace(
            text=text,
            no_speech_prob=no_speech,
            avg_logprob=sure,
            compression_ratio=repeated,
            start=0.0,
            end=1.0,
        )

    assert words_of([segment(" Hello."), segment(" You?")]) == "Hello. You?"
    assert words_of([segment(" Thanks for watching!", no_speech=0.9)]) == ""
    assert words_of([segment(" Thank you.", no_speech=0.6, sure=-0.8)]) == ""
    assert words_of([segment(" Hello."), segment(" Bzz", sure=-1.5)]) == "Hello."
    assert words_of([segment(" no no no no no", repeated=3.0)]) == "no no no no no"
    assert words_of([segment(" no" * 20, repeated=9.0)]) == ""
    assert words_of([segment(" [BLANK_AUDIO] (wind) ... ")]) == ""


async def test_another_language_is_refused_with_a_reason(speech: Speech) -> None:
    with pytest.raises(Unavailable, match="Only English"):
        await speech.recogniser.text_of(silence(1), language="de")


async def test_it_speaks_faster(speech: Speech) -> None:
    calm = [len(piece) async for piece in speech.synthesiser.speak(SENTENCES[0])]
    hasty = [len(piece) async for piece in speech.synthesiser.speak(SENTENCES[0], speed=2)]
    assert 0.35 < sum(hasty) / sum(calm) < 0.7


async def test_nothing_to_say_has_no_sound(speech: Speech) -> None:
    assert [piece async for piece in speech.synthesiser.speak(" **\n# ")] == []
    assert sayable("**Well**, [[a]] _b_\0\n- c") == "Well , a b - c"


async def test_one_who_stops_listening_holds_up_nobody(speech: OfflineSpeech) -> None:
    first = speech.synthesiser.speak(LONG)
    heard = seconds_of(await anext(first), rate=speech.synthesiser.rate)
    await first.aclose()
    rest = [piece async for piece in speech.synthesiser.speak("Yes.")]
    assert rest
    assert heard < 10
    assert seconds_of(b"".join(rest), rate=speech.synthesiser.rate) < 3


async def test_each_hears_their_own(speech: Speech) -> None:
    first, second = await asyncio.gather(
        said(speech.synthesiser, SENTENCES[2]), said(speech.synthesiser, SENTENCES[4])
    )
    assert word_errors(SENTENCES[2], await speech.recogniser.text_of(first, language="en")) < 0.3
    assert word_errors(SENTENCES[4], await speech.recogniser.text_of(second, language="en")) < 0.3


async def test_a_sentence_fails_when_the_voice_dies_and_the_next_is_said(speech: OfflineSpeech) -> None:
    under_way = speech.synthesiser.speak(LONG)
    await anext(under_way)
    died = speech.synthesiser.pid
    assert died is not None
    os.kill(died, signal.SIGKILL)
    with pytest.raises(Unavailable, match="voice was lost"):
        async for _ in under_way:
            pass
    assert await said(speech.synthesiser, "Yes.")
    assert speech.synthesiser.pid != died


async def test_a_voice_that_is_stuck_is_replaced() -> None:
    synthesiser = PiperSynthesiser(stuck_seconds=2.0)
    await synthesiser.load()
    stuck = synthesiser.pid
    assert stuck is not None
    os.kill(stuck, signal.SIGSTOP)
    with pytest.raises(Unavailable, match="voice was lost"):
        await said(synthesiser, "Yes.")
    assert synthesiser.pid == stuck
    await synthesiser.load()
    assert synthesiser.pid != stuck
    await synthesiser.aclose()


async def test_the_voice_ends_with_its_input(speech: OfflineSpeech) -> None:
    """As it does when the server is killed."""
    child = speech.synthesiser._child
    assert child is not None
    under_way = speech.synthesiser.speak(LONG)
    await anext(under_way)
    assert child._process.stdin is not None
    child._process.stdin.close()
    assert await asyncio.wait_for(child._process.wait(), 60) == 0
    await under_way.aclose()


async def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "piper", None)  # as if it were not installed
    with pytest.raises(Unavailable, match=r"piper.*pip install 'greenroom\[voice\]'"):
        await OfflineSpeech().open()
