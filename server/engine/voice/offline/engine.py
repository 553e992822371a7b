"""The engine of voice that needs no other service: what is heard goes to the chat's own model, as text."""

from collections.abc import AsyncIterator

from schemas.attempt import Chat
from server.engine.conversation.parties import Party
from server.engine.voice.engine import EngineEvent, Play
from server.engine.voice.offline.hearing import QUIET_SECONDS, Hearing
from server.engine.voice.offline.speech import OfflineSpeech
from server.engine.voice.offline.spoken import SpokenParty
from server.errors import Unavailable


class OfflineEngine:
    """One voice session's engine; the speech is shared by all of a process, and not closed with one."""

    def __init__(self, speech: OfflineSpeech, *, quiet: float = QUIET_SECONDS) -> None:
        self._speech = speech
        self._quiet = quiet
        self._hearing: Hearing | None = None
        self._muted = False
        self._closed = False

    async def open(self, chat: Chat) -> None:
        """Load the models, unless they are; raises Unavailable. The chat's own model knows what was said."""
        await self._speech.open()
        if self._closed:
            raise Unavailable("The voice session was ended before it began.")
        self._hearing = Hearing(self._speech.detector(quiet=self._quiet), self._speech.recogniser)

    def hear(self, audio: bytes) -> None:
        """Take sound at CHAT_RATE; never blocks."""
        if self._hearing is not None and not self._muted and not self._closed:
            self._hearing.hear(audio)

    def mute(self, muted: bool) -> None:
        """Hear nothing while muted; what was half said before is forgotten."""
        if muted and not self._muted and self._hearing is not None:
            self._hearing.hush()
        self._muted = muted

    async def events(self) -> AsyncIterator[EngineEvent]:
        """Yield what is heard until the engine is closed."""
        if self._hearing is not None:
            async for event in self._hearing.events():
                yield event

    def party(self, reply: Party, *, play: Play) -> Party:
        """Return who says the reply aloud, sentence by sentence."""
        return SpokenParty(reply, self._speech.synthesiser, play=play)

    async def aclose(self) -> None:
        """End it; may be called twice."""
        self._closed = True
        if self._hearing is not None:
            await self._hearing.aclose()
