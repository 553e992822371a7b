"""An engine of voice: hears a learner and speaks for a chat's persona, whatever does it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from schemas.attempt import Chat
from schemas.envelope import JsonObject
from server.engine.conversation.parties import Party

# takes sound at CHAT_RATE for whoever listens; returns when it is about to be heard
Play = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserStarted:
    """The learner began to speak; what is being said to them is cut off."""

    item_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDelta:
    """What has been understood so far: the full text."""

    item_id: str
    transcript: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSaid:
    """The learner has said something: a turn, unless `transcript` is empty; `audio` is at CHAT_RATE."""

    item_id: str
    transcript: str
    audio: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Hinted:
    """The engine's model called for hints to be shown."""

    hints: list[JsonObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubled:
    """Something went wrong, in a sentence for people; the session goes on unless it is `fatal`."""

    message: str
    code: str
    fatal: bool = False


EngineEvent = UserStarted | UserDelta | UserSaid | Hinted | Troubled


class VoiceEngine(Protocol):
    """One voice session's engine. Everything is called in the event loop; make one for each session."""

    async def open(self, chat: Chat) -> None:
        """Get ready for a chat, and for what was said in it; raises GreenroomError. Cancelling is safe."""

    def hear(self, audio: bytes) -> None:
        """Take sound at CHAT_RATE; never blocks."""

    def mute(self, muted: bool) -> None:
        """Hear nothing while muted; what was half heard is forgotten when it ends."""

    def events(self) -> AsyncIterator[EngineEvent]:
        """Yield what is heard until the engine is closed."""

    def party(self, reply: Party, *, play: Play) -> Party:
        """Return who gives the reply to the last UserSaid, aloud.

        `reply` is what the chat's own model would say; an engine whose model answers by itself ignores it.
        The text of the party is what has been spoken, as it is spoken; its last part comes with its last
        sound. Closing what its `speak` returned stops the sound at once.
        """

    async def aclose(self) -> None:
        """End it; may be called twice."""
