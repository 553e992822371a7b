"""What a learner says, from sound to turns: noticed at once, understood while it is said and at its end."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from server.engine.ids import new
from server.engine.voice.engine import EngineEvent, Troubled, UserDelta, UserSaid, UserStarted
from server.engine.voice.offline.detecting import (
    FRAME_SECONDS,
    FRAMES_AFTER,
    FRAMES_BEFORE,
    LONGEST_SECONDS,
    SpeechDetector,
)
from server.engine.voice.offline.recognising import WhisperRecogniser
from server.engine.voice.offline.resampling import Resampler
from server.engine.voice.speech import CHAT_RATE, HEARD_RATE, SAMPLE_BYTES, SpeechBegan, SpeechEnded
from server.errors import GreenroomError

QUIET_SECONDS = 0.6
DELTA_SECONDS = 1.0
# after that much silence what was said is recognised already, because it may have been all
LIKELY_END_SECONDS = 0.2
BEFORE, AFTER = FRAMES_BEFORE * FRAME_SECONDS, FRAMES_AFTER * FRAME_SECONDS


@dataclass(slots=True, kw_only=True)
class Item:
    """One speech, and what is being recognised of it."""

    id: str
    began: float
    guess: "asyncio.Task[str] | None" = None
    guessed_at: float  # of the sound
    guessed_until: float = 0.0  # where the speech ended in what was guessed from


class Hearing:
    """Makes events of one learner's sound. Nothing of it blocks; call it in the event loop."""

    def __init__(
        self, detector: SpeechDetector, recogniser: WhisperRecogniser, *, language: str = "en"
    ) -> None:
        self._detector = detector
        self._recogniser = recogniser
        self._language = language
        self._down = Resampler(CHAT_RATE, HEARD_RATE)
        self._past = Past()
        self._item: Item | None = None
        self._events: asyncio.Queue[EngineEvent | None] = asyncio.Queue()
        self._ended: asyncio.Queue[tuple[Item, SpeechEnded, bytes]] = asyncio.Queue()
        self._understanding = asyncio.create_task(self._understand())
        self._understanding.add_done_callback(lambda _: self._events.put_nowait(None))

    def hear(self, audio: bytes) -> None:
        """Take sound at CHAT_RATE."""
        self._past.add(audio)
        for change in self._detector.feed(self._down.feed(audio)):
            if isinstance(change, SpeechBegan):
                self._began(change)
            else:
                self._finished(change)
        if self._item is None:
            self._past.forget(self._detector.fed - 1.0)
        else:
            self._guess(self._item)

    def hush(self) -> None:
        """End what is being said, because nothing more comes; only what is whole is understood."""
        whole = self._detector.fed - self._detector.until >= LIKELY_END_SECONDS
        for change in self._detector.flush():
            assert isinstance(change, SpeechEnded)
            if whole:
                self._finished(change)
            elif (item := self._item) is not None:
                self._drop_guess()
                self._item = None
                self._events.put_nowait(UserSaid(item_id=item.id, transcript="", audio=b""))

    async def events(self) -> AsyncIterator[EngineEvent]:
        """Yield what is heard until it is closed."""
        while (event := await self._events.get()) is not None:
            yield event
        if not self._understanding.cancelled():
            self._understanding.result()  # raises what broke it

    async def aclose(self) -> None:
        """Hear nothing more; may be called twice."""
        self._drop_guess()
        self._understanding.cancel()
        await asyncio.gather(self._understanding, return_exceptions=True)

    def _began(self, change: SpeechBegan) -> None:
        self._item = Item(id=new(), began=change.at, guessed_at=self._detector.fed)
        self._events.put_nowait(UserStarted(item_id=self._item.id))

    def _finished(self, change: SpeechEnded) -> None:
        assert self._item is not None
        sound = self._past.between(change.began - BEFORE, change.at + AFTER)
        self._ended.put_nowait((self._item, change, sound))
        self._item = None

    def _drop_guess(self) -> None:
        if self._item is not None and self._item.guess is not None:
            self._item.guess.cancel()

    def _guess(self, item: Item) -> None:
        """Recognise what was said so far: every second, and when it may have been all."""
        if item.guess is not None and not item.guess.done():
            return
        fed, until = self._detector.fed, self._detector.until
        may_be_all = fed - until >= LIKELY_END_SECONDS and item.guessed_until != until
        due = fed - item.guessed_at >= DELTA_SECONDS and item.guessed_until != until
        if may_be_all or (due and self._recogniser.waiting == 0):
            item.guessed_at = fed
            item.guessed_until = until if may_be_all else 0.0
            audio = self._detector.so_far
            item.guess = asyncio.create_task(self._recogniser.text_of(audio, language=self._language))
            item.guess.add_done_callback(lambda guess: self._guessed(item, guess))

    def _guessed(self, item: Item, guess: "asyncio.Task[str]") -> None:
        if guess.cancelled() or guess.exception() is not None:  # the whole is recognised in the end
            return
        if item is self._item and (text := guess.result()):
            self._events.put_nowait(UserDelta(item_id=item.id, transcript=text))

    async def _understand(self) -> None:
        """Tell what was said, speech by speech."""
        while True:
            item, ended, sound = await self._ended.get()
            try:
                text = await self._text_of(item, ended)
            except GreenroomError as error:
                self._events.put_nowait(Troubled(message=error.message, code=error.code))
                text = ""
            self._events.put_nowait(UserSaid(item_id=item.id, transcript=text, audio=sound))

    async def _text_of(self, item: Item, ended: SpeechEnded) -> str:
        if item.guess is not None and item.guessed_until == ended.at:
            return await item.guess
        if item.guess is not None:
            item.guess.cancel()
        return await self._recogniser.text_of(ended.audio, language=self._language)


class Past:
    """The last minute of a stream at CHAT_RATE, for what turns out to have been said in it."""

    def __init__(self) -> None:
        self._sound = bytearray()
        self._from = 0  # bytes that came before what is kept

    def add(self, audio: bytes) -> None:
        """Keep some more."""
        self._sound += audio
        most = _bytes(LONGEST_SECONDS + BEFORE + AFTER + 2 * QUIET_SECONDS + 1.0)
        if len(self._sound) > most:
            self._drop(len(self._sound) - most)

    def forget(self, before: float) -> None:
        """Drop what was before some second of the stream."""
        if (over := _bytes(before) - self._from) > _bytes(1.0):  # not with every piece
            self._drop(over)

    def between(self, began: float, ended: float) -> bytes:
        """Return the sound between two seconds of the stream."""
        start, end = (max(0, _bytes(at) - self._from) for at in (began, ended))
        return bytes(self._sound[start:end])

    def _drop(self, count: int) -> None:
        count -= count % SAMPLE_BYTES
        del self._sound[:count]
        self._from += count


def _bytes(seconds: float) -> int:
    return round(seconds * CHAT_RATE) * SAMPLE_BYTES
