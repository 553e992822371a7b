"""One spoken reply: who says it, its sound for who listens, and its recording."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from schemas.envelope import Id, Usage
from schemas.stored import Recording
from server.engine.conversation.parties import Party
from server.engine.ids import derive
from server.engine.voice.engine import VoiceEngine
from server.engine.voice.pacing import Pacer, seconds_of
from server.engine.voice.speech import CHAT_RATE

MAX_SECONDS = 300  # of a recorded reply; what is said beyond is heard, not kept
Keep = Callable[[Id, bytes], None]


def recording_of(message_id: Id, audio: bytes) -> Recording | None:
    """Return what a message says of its sound, None when there is none."""
    if not audio:
        return None
    return Recording(id=derive(message_id, "recording"), ms=round(seconds_of(audio) * 1000), rate=CHAT_RATE)


class SpokenReply:
    """Says one reply aloud; `keep` is given what was sent of its sound once, when it has ended."""

    def __init__(self, engine: VoiceEngine, message_id: Id, *, pacer: Pacer, keep: Keep) -> None:
        self._engine = engine
        self._message_id = message_id
        self._pacer = pacer
        self._keep = keep
        self._sound = bytearray()
        self.recording: Recording | None = None

    def party(self, reply: Party) -> Party:
        """Return who says a reply aloud."""
        return _Recorded(self._engine.party(reply, play=self._play), self._ended, drained=self._pacer.drained)

    async def _play(self, audio: bytes) -> None:
        await self._pacer.play(audio, sent=self._sent)

    def _sent(self, piece: bytes) -> None:
        if seconds_of(self._sound) < MAX_SECONDS:
            self._sound += piece

    def _ended(self) -> None:
        sound, self._sound = bytes(self._sound), bytearray()
        self.recording = recording_of(self._message_id, sound)
        if self.recording is not None:
            self._keep(self.recording.id, sound)


class _Recorded:
    """A party that tells when it has ended, heard or cut off."""

    def __init__(
        self, party: Party, ended: Callable[[], None], *, drained: Callable[[], Awaitable[None]]
    ) -> None:
        self._party = party
        self._ended = ended
        self._drained = drained

    @property
    def usage(self) -> Usage | None:
        return self._party.usage

    @usage.setter
    def usage(self, usage: Usage | None) -> None:
        self._party.usage = usage

    async def speak(self) -> AsyncGenerator[str, None]:
        try:
            async with aclosing(self._party.speak()) as parts:
                async for text in parts:
                    yield text
            await self._drained()
        finally:
            self._ended()
