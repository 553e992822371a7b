"""An engine of voice that needs no model of speech: it hears two seconds, and says two."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from schemas.attempt import Chat
from schemas.envelope import Usage
from server.engine.conversation.parties import Party
from server.engine.voice.engine import EngineEvent, Play, UserSaid, UserStarted
from server.engine.voice.speech import CHAT_RATE, SAMPLE_BYTES

FRAME_SECONDS = 0.04
FRAME = round(FRAME_SECONDS * CHAT_RATE) * SAMPLE_BYTES
TURN = bytes(FRAME * 50)


class NullEngine:
    """Takes every two seconds of sound for a turn, and says as much."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[EngineEvent | None] = asyncio.Queue()
        self._heard = 0
        self._turns = 0
        self._speaking = False

    async def open(self, chat: Chat) -> None:
        """Be ready at once."""

    def hear(self, audio: bytes) -> None:
        """Count what comes while nothing is said."""
        if self._speaking:
            return
        if self._heard == 0:
            self._events.put_nowait(UserStarted(item_id=str(self._turns)))
        self._heard += len(audio)
        if self._heard >= len(TURN):
            item_id, self._heard, self._speaking = str(self._turns), 0, True
            self._turns += 1
            self._events.put_nowait(UserSaid(item_id=item_id, transcript="Go on.", audio=TURN))

    def mute(self, muted: bool) -> None:
        """Hear nothing, or again; nobody mutes here."""

    async def events(self) -> AsyncIterator[EngineEvent]:
        """Yield turns."""
        while (event := await self._events.get()) is not None:
            yield event

    def party(self, reply: Party, *, play: Play) -> Party:
        """Return who says two seconds of silence, whatever the reply is."""
        return _Speaker(reply, play, self._said)

    async def aclose(self) -> None:
        """End it."""
        self._events.put_nowait(None)

    def _said(self) -> None:
        self._speaking = False


class _Speaker:
    def __init__(self, reply: Party, play: Play, said: Callable[[], None]) -> None:
        self._reply = reply
        self._play = play
        self._said = said
        self.usage: Usage | None = None

    async def speak(self) -> AsyncGenerator[str, None]:
        try:
            async with aclosing(self._reply.speak()) as parts:
                async for text in parts:
                    yield text
            await self._play(TURN)
        finally:
            self._said()
