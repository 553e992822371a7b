"""A reply is said sentence by sentence while it comes, word by word with its sound, and stops at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from schemas.envelope import Usage
from server.engine.conversation.parties import Party, ScriptedParty
from server.engine.voice.offline.resampling import resampled
from server.engine.voice.offline.speech import OfflineSpeech
from server.engine.voice.offline.spoken import PIECE, Sentence, SpokenParty
from server.engine.voice.speech import CHAT_RATE, HEARD_RATE
from server.errors import Unavailable, Upstream
from tests.support.voices import seconds_of, word_errors

TEXT = "I am glad that you called. The contract ends in March! Shall we talk about the price?"


class Model:
    """Says parts, the last of them only when it may."""

    def __init__(self, *parts: str, fails: bool = False) -> None:
        self.parts = parts
        self.fails = fails
        self.may_end = asyncio.Event()
        self.closed = asyncio.Event()
        self.usage: Usage | None = None

    async def speak(self) -> AsyncGenerator[str, None]:
        try:
            for part in self.parts[:-1]:
                yield part
            await self.may_end.wait()
            if self.fails:
                raise Upstream
            yield self.parts[-1]
            self.usage = Usage(prompt_tokens=1, completion_tokens=2)
        finally:
            self.closed.set()


class Listener:
    """Hears what is played, as fast as it is said."""

    def __init__(self) -> None:
        self.sound = b""
        self.heard = asyncio.Event()

    async def play(self, audio: bytes) -> None:
        assert 0 < len(audio) <= PIECE
        self.sound += audio
        self.heard.set()


async def hear(party: Party, texts: list[str]) -> None:
    """Listen to a party, keeping its texts."""
    async with aclosing(party.speak()) as parts:
        async for text in parts:
            texts.append(text)


async def test_what_is_said_is_what_is_heard(speech: OfflineSpeech) -> None:
    listener = Listener()
    party = SpokenParty(ScriptedParty(TEXT), speech.synthesiser, play=listener.play)
    texts: list[tuple[str, float]] = []
    async with aclosing(party.speak()) as parts:
        async for text in parts:
            texts.append((text, seconds_of(listener.sound, rate=CHAT_RATE)))
    assert "".join(text for text, _ in texts) == TEXT
    whole = seconds_of(listener.sound, rate=CHAT_RATE)
    assert texts[0][1] <= 0.04
    assert next(at for text, at in texts if text == "contract ") > 0.3 * whole
    assert texts[-1][1] > 0.8 * whole
    heard = await speech.recogniser.text_of(resampled(listener.sound, CHAT_RATE, HEARD_RATE), language="en")
    assert word_errors(TEXT, heard) <= 0.2


async def test_the_first_sentence_is_heard_while_the_model_goes_on(speech: OfflineSpeech) -> None:
    listener, model = Listener(), Model("Good morn", "ing. And ", "good night.")
    party = SpokenParty(model, speech.synthesiser, play=listener.play)
    async with aclosing(party.speak()) as parts:
        said = [await anext(parts), await anext(parts)]
        assert "".join(said) == "Good morning. "
        assert not model.closed.is_set()
        model.may_end.set()
        assert [text async for text in parts] == ["And ", "good ", "night."]
    assert party.usage == Usage(prompt_tokens=1, completion_tokens=2)


async def test_closing_it_stops_the_sound_and_the_model(speech: OfflineSpeech) -> None:
    listener, model = Listener(), Model(TEXT, "And so on.")
    party = SpokenParty(model, speech.synthesiser, play=listener.play)
    parts = party.speak()
    assert await anext(parts) == "I "
    await parts.aclose()
    assert model.closed.is_set()
    assert len(listener.sound) == PIECE
    texts: list[str] = []
    await hear(SpokenParty(ScriptedParty("Yes."), speech.synthesiser, play=listener.play), texts)
    assert texts == ["Yes."]


async def test_one_who_is_cancelled_while_playing_stops(speech: OfflineSpeech) -> None:
    model, playing = Model(TEXT, "And so on."), asyncio.Event()

    async def play(audio: bytes) -> None:
        playing.set()
        await asyncio.Event().wait()

    async def listen() -> None:
        async with aclosing(SpokenParty(model, speech.synthesiser, play=play).speak()) as parts:
            async for _ in parts:
                pytest.fail("nothing was played to its end")

    listening = asyncio.create_task(listen())
    await playing.wait()
    listening.cancel()
    await asyncio.wait([listening])
    assert model.closed.is_set()


async def test_what_came_before_a_failure_is_said(speech: OfflineSpeech) -> None:
    listener, model = Listener(), Model("Good morning. And", "", fails=True)
    model.may_end.set()
    texts: list[str] = []
    with pytest.raises(Upstream):
        await hear(SpokenParty(model, speech.synthesiser, play=listener.play), texts)
    assert "".join(texts) == "Good morning. And"


async def test_a_voice_that_is_away_is_told(speech: OfflineSpeech) -> None:
    await speech.aclose()
    texts: list[str] = []
    with pytest.raises(Unavailable):
        await hear(SpokenParty(ScriptedParty(TEXT), speech.synthesiser, play=Listener().play), texts)
    assert texts == []


@pytest.mark.parametrize("text", ["One two three.", "  a ", "\n", "x"])
@pytest.mark.parametrize("length", [0, 1, 5])
def test_the_words_of_a_sentence_lie_along_its_sound(text: str, length: int) -> None:
    pieces = Sentence(text, bytes(PIECE * length)).pieces()
    assert "".join(words for _, words in pieces) == text
    assert b"".join(sound for sound, _ in pieces) == bytes(PIECE * length)
    assert pieces[0][1]
