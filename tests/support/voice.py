"""Voice in tests: an engine for which loud frames are speech and silent ones end it, and what it says."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from schemas.attempt import Chat
from schemas.envelope import Usage
from server.engine.conversation.parties import Party
from server.engine.voice.engine import EngineEvent, Hinted, Play, Troubled, UserDelta, UserSaid, UserStarted
from server.engine.voice.speech import CHAT_RATE

LOUD = b"\x00\x40" * (CHAT_RATE // 25)  # 40 ms
SILENT = b"\x00\x00" * (CHAT_RATE // 25)
VOICED = b"\x00\x20" * (CHAT_RATE // 25)  # what is said for each word


class PlainEngine:
    """Understands what it is told to understand, and says a reply word by word, 40 ms each."""

    def __init__(self, *, understands: list[str], opens: asyncio.Event | None = None) -> None:
        self.understands = understands
        self.opens = opens
        self.closed = False
        self.muted = False
        self.heard = 0  # bytes
        self._events: asyncio.Queue[EngineEvent | None] = asyncio.Queue()
        self._said = bytearray()
        self._item = 0

    async def open(self, chat: Chat) -> None:
        """Wait until it may open, if it has to."""
        if self.opens is not None:
            await self.opens.wait()

    def hear(self, audio: bytes) -> None:
        """Take loud frames for speech."""
        self.heard += len(audio)
        if any(audio):
            if not self._said:
                self._item += 1
                self._events.put_nowait(UserStarted(item_id=f"item-{self._item}"))
            self._said += audio
            words = self.understands[0].split() if self.understands else []
            so_far = " ".join(words[: max(1, len(self._said) // len(LOUD))])
            self._events.put_nowait(UserDelta(item_id=f"item-{self._item}", transcript=so_far))
        elif self._said:
            text = self.understands.pop(0) if self.understands else ""
            said = UserSaid(item_id=f"item-{self._item}", transcript=text, audio=bytes(self._said))
            self._said.clear()
            self._events.put_nowait(said)

    def mute(self, muted: bool) -> None:
        """Forget what was half said."""
        self.muted = muted
        self._said.clear()

    def hint(self, text: str) -> None:
        """Call for a hint."""
        self._events.put_nowait(Hinted(hints=[{"hint": text, "idx": 0}]))

    def trouble(self, message: str, *, fatal: bool = False) -> None:
        """Tell of trouble."""
        self._events.put_nowait(Troubled(message=message, code="upstream", fatal=fatal))

    async def events(self) -> AsyncIterator[EngineEvent]:
        """Yield what happens until it is closed."""
        while (event := await self._events.get()) is not None:
            yield event

    def party(self, reply: Party, *, play: Play) -> Party:
        """Return who says a reply word by word."""
        return _Speaker(reply, play)

    async def aclose(self) -> None:
        """End it."""
        self.closed = True
        self._events.put_nowait(None)


class _Speaker:
    def __init__(self, reply: Party, play: Play) -> None:
        self._reply = reply
        self._play = play

    @property
    def usage(self) -> Usage | None:
        return self._reply.usage

    @usage.setter
    def usage(self, usage: Usage | None) -> None:
        self._reply.usage = usage

    async def speak(self) -> AsyncGenerator[str, None]:
        async with aclosing(self._reply.speak()) as parts:
            async for text in parts:
                yield text
                for _ in text.split():
                    await self._play(VOICED)
