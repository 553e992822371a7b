"""A reply that is said aloud, sentence by sentence, while its model still goes on."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from schemas.envelope import Usage
from server.engine.conversation.parties import Party
from server.engine.voice.engine import Play
from server.engine.voice.offline.resampling import resampled
from server.engine.voice.offline.sentences import SentenceCutter
from server.engine.voice.speech import CHAT_RATE, SAMPLE_BYTES, Synthesiser
from server.errors import Unavailable

PIECE = round(0.04 * CHAT_RATE) * SAMPLE_BYTES
AHEAD = 1  # sentences that are ready beyond the one that is heard
TRIES = 2  # a voice that died is there again
_WORD = re.compile(r"\s*\S+\s*")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A part of a reply with its sound at CHAT_RATE; some have none."""

    text: str
    sound: bytes

    def pieces(self) -> list[tuple[bytes, str]]:
        """Return the sound in short pieces, each with the words that begin in it, as far as one can tell."""
        count = max(1, -(-len(self.sound) // PIECE))
        texts = [""] * count
        for word in _WORD.finditer(self.text) if self.text.strip() else ():
            texts[word.start() * count // len(self.text)] += word.group()
        if not self.text.strip():
            texts[0] = self.text
        return [(self.sound[n * PIECE : (n + 1) * PIECE], texts[n]) for n in range(count)]


class SpokenParty:
    """Says what another party says; its text comes word by word, with the sound."""

    def __init__(self, reply: Party, synthesiser: Synthesiser, *, play: Play) -> None:
        self._reply = reply
        self._synthesiser = synthesiser
        self._play = play

    @property
    def usage(self) -> Usage | None:
        """Return what the reply has used."""
        return self._reply.usage

    @usage.setter
    def usage(self, usage: Usage | None) -> None:
        self._reply.usage = usage

    async def speak(self) -> AsyncGenerator[str, None]:
        """Yield what is said as it is heard; raises what the reply raises after what it said before."""
        texts: asyncio.Queue[str | None] = asyncio.Queue()
        ready: asyncio.Queue[Sentence | None] = asyncio.Queue()
        room = asyncio.Semaphore(AHEAD)
        reading = asyncio.create_task(self._read(texts))
        reading.add_done_callback(lambda _: texts.put_nowait(None))
        voicing = asyncio.create_task(self._voice(texts, ready, room))
        voicing.add_done_callback(lambda _: ready.put_nowait(None))
        try:
            while (sentence := await ready.get()) is not None:
                room.release()
                for sound, text in sentence.pieces():
                    if sound:
                        await self._play(sound)
                    if text:
                        yield text
            await voicing
            await reading
        finally:
            reading.cancel()
            voicing.cancel()
            await asyncio.gather(reading, voicing, return_exceptions=True)

    async def _read(self, texts: "asyncio.Queue[str | None]") -> None:
        """Read the reply as fast as it comes, so that its model need not wait for the voice."""
        cutter = SentenceCutter()
        try:
            async with aclosing(self._reply.speak()) as parts:
                async for part in parts:
                    for sentence in cutter.feed(part):
                        texts.put_nowait(sentence)
        finally:
            for sentence in cutter.flush():
                texts.put_nowait(sentence)

    async def _voice(
        self,
        texts: "asyncio.Queue[str | None]",
        ready: "asyncio.Queue[Sentence | None]",
        room: asyncio.Semaphore,
    ) -> None:
        while (text := await texts.get()) is not None:
            await room.acquire()
            ready.put_nowait(Sentence(text, await self._sound_of(text)))

    async def _sound_of(self, text: str) -> bytes:
        for attempt in range(TRIES):
            try:
                async with aclosing(self._synthesiser.speak(text)) as pieces:
                    sound = b"".join([piece async for piece in pieces])
            except Unavailable:
                if attempt == TRIES - 1:
                    raise
            else:
                return resampled(sound, self._synthesiser.rate, CHAT_RATE) if sound else b""
        return b""
