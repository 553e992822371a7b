"""The offline engine: sound in, turns out; replies aloud; cut off, muted, closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from server.engine.conversation.parties import ScriptedParty
from server.engine.voice.engine import EngineEvent, Troubled, UserDelta, UserSaid, UserStarted, VoiceEngine
from server.engine.voice.offline.engine import OfflineEngine
from server.engine.voice.offline.speech import OfflineSpeech
from server.engine.voice.speech import CHAT_RATE, SAMPLE_BYTES, Synthesiser
from server.errors import Unavailable
from tests.support.chats import a_chat
from tests.support.voices import SENTENCES, said, seconds_of, silence, word_errors

FRAME = round(0.04 * CHAT_RATE) * SAMPLE_BYTES


@asynccontextmanager
async def engine_of(speech: OfflineSpeech, *, quiet: float = 0.6) -> AsyncIterator[OfflineEngine]:
    engine = OfflineEngine(speech, quiet=quiet)
    await engine.open(a_chat())
    try:
        yield engine
    finally:
        await engine.aclose()


async def spoken(synthesiser: Synthesiser, text: str) -> bytes:
    return await said(synthesiser, text, rate=CHAT_RATE)


def give(engine: VoiceEngine, *sounds: bytes) -> None:
    """Let an engine hear some sound, in frames."""
    sound = b"".join(sounds)
    for at in range(0, len(sound), FRAME):
        engine.hear(sound[at : at + FRAME])


async def until_said(events: AsyncIterator[EngineEvent]) -> list[EngineEvent]:
    """Return the events up to the next thing that was said."""
    found = []
    async for event in events:
        found.append(event)
        if isinstance(event, UserSaid):
            break
    return found


def nothing(seconds: float) -> bytes:
    return silence(seconds, rate=CHAT_RATE)


async def test_what_is_said_becomes_a_turn_with_its_sound(speech: OfflineSpeech) -> None:
    sentence = await spoken(speech.synthesiser, SENTENCES[2])
    async with engine_of(speech) as engine:
        events = engine.events()
        give(engine, nothing(1), sentence)
        started = await anext(events)
        assert isinstance(started, UserStarted)
        give(engine, nothing(1))
        *_, turn = await until_said(events)
        assert isinstance(turn, UserSaid)
        assert turn.item_id == started.item_id
        assert word_errors(SENTENCES[2], turn.transcript) <= 0.2
        assert turn.audio in nothing(1) + sentence + nothing(1)
        length = seconds_of(turn.audio, rate=CHAT_RATE)
        assert 0 < length - seconds_of(sentence, rate=CHAT_RATE) + 0.2 < 0.8


async def test_what_is_understood_so_far_is_told_while_one_speaks(speech: OfflineSpeech) -> None:
    async with engine_of(speech) as engine:
        events = engine.events()
        give(engine, nothing(0.5), await spoken(speech.synthesiser, " ".join(SENTENCES[1:3])))
        assert isinstance(await anext(events), UserStarted)
        delta = await anext(events)
        assert isinstance(delta, UserDelta)
        assert delta.transcript.lower().startswith("the price")
        give(engine, nothing(1))
        *_, turn = await until_said(events)
        assert isinstance(turn, UserSaid)
        assert len(turn.transcript) >= len(delta.transcript)


async def test_turns_come_in_their_order(speech: OfflineSpeech) -> None:
    async with engine_of(speech) as engine:
        events = engine.events()
        for sentence in SENTENCES[:3]:
            give(engine, await spoken(speech.synthesiser, sentence), nothing(1))
        for sentence in SENTENCES[:3]:
            *_, turn = await until_said(events)
            assert isinstance(turn, UserSaid)
            assert word_errors(sentence, turn.transcript) <= 0.2


async def test_what_was_half_said_is_forgotten_when_muted(speech: OfflineSpeech) -> None:
    sentence = await spoken(speech.synthesiser, SENTENCES[3])
    async with engine_of(speech) as engine:
        events = engine.events()
        give(engine, nothing(0.5), sentence[: 25 * FRAME])
        engine.mute(True)
        give(engine, await spoken(speech.synthesiser, SENTENCES[0]), nothing(1))
        engine.mute(False)
        give(engine, nothing(0.5), await spoken(speech.synthesiser, SENTENCES[4]), nothing(1))
        *_, forgotten = await until_said(events)
        assert isinstance(forgotten, UserSaid)
        assert (forgotten.transcript, forgotten.audio) == ("", b"")
        *_, turn = await until_said(events)
        assert isinstance(turn, UserSaid)
        assert word_errors(SENTENCES[4], turn.transcript) <= 0.2


async def test_what_was_said_just_before_muting_counts(speech: OfflineSpeech) -> None:
    async with engine_of(speech) as engine:
        give(engine, nothing(0.5), await spoken(speech.synthesiser, SENTENCES[3]), nothing(0.3))
        engine.mute(True)
        *_, turn = await until_said(engine.events())
        assert isinstance(turn, UserSaid)
        assert word_errors(SENTENCES[3], turn.transcript) <= 0.2


async def test_somebody_talks_with_a_persona(speech: OfflineSpeech) -> None:
    """And the persona is heard as it speaks, and cut off."""
    heard: list[bytes] = []

    async def play(audio: bytes) -> None:
        heard.append(audio)

    async with engine_of(speech) as engine:
        events = engine.events()
        give(engine, nothing(0.5), await spoken(speech.synthesiser, SENTENCES[0]), nothing(1))
        await until_said(events)
        reply = engine.party(ScriptedParty(" ".join(SENTENCES[3:])), play=play)
        async with aclosing(reply.speak()) as parts:
            text = [await anext(parts), await anext(parts)]
            give(engine, await spoken(speech.synthesiser, SENTENCES[1]))
            assert isinstance(await anext(events), UserStarted)
        assert "".join(text) == "We have "
        played = len(heard)
        give(engine, nothing(1))
        await until_said(events)
        assert len(heard) == played > 0


async def test_speech_that_cannot_be_recognised_is_told(speech: OfflineSpeech) -> None:
    sentence = await spoken(speech.synthesiser, SENTENCES[0])
    async with engine_of(speech) as engine:
        speech.recogniser._waiting = 10_000  # as if so many spoke at once
        give(engine, nothing(0.5), sentence, nothing(1))
        events = await until_said(engine.events())
        assert [type(event) for event in events] == [UserStarted, Troubled, UserSaid]
        assert isinstance(events[-1], UserSaid)
        assert events[-1].transcript == ""
        assert events[-1].audio


async def test_events_end_when_it_is_closed(speech: OfflineSpeech) -> None:
    async with engine_of(speech) as engine:
        give(engine, nothing(0.5), await spoken(speech.synthesiser, SENTENCES[0]))
        reading = asyncio.create_task(_all(engine.events()))
    assert all(isinstance(event, UserStarted | UserDelta) for event in await reading)
    engine.hear(nothing(0.1))
    await engine.aclose()
    with pytest.raises(Unavailable, match="ended before"):
        await engine.open(a_chat())


async def _all(events: AsyncIterator[EngineEvent]) -> list[EngineEvent]:
    return [event async for event in events]
