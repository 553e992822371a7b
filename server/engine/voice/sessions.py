"""The voice sessions of this process: one per chat, bound to the connection that began it."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog

from schemas.attempt import Chat
from schemas.envelope import Id
from server.engine.conversation.conversation import Conversation, why_not_heard
from server.engine.tasks import Tasks
from server.engine.voice.engine import VoiceEngine
from server.engine.voice.session import CHAT_ENDED, READY_SECONDS, Ending, VoiceSession
from server.errors import Conflict, Unavailable
from server.rooms.connection import Connection
from server.rooms.hub import Hub

log = structlog.get_logger(__name__)
MakeEngine = Callable[[], VoiceEngine]
KeepSound = Callable[[Chat, Id, bytes], Coroutine[Any, Any, None]]


class VoiceSessions:
    """Begins, finds and ends voice sessions; `make` is None where no engine of voice is set up."""

    def __init__(
        self,
        *,
        conversation: Conversation,
        hub: Hub,
        tasks: Tasks,
        keep: KeepSound,
        make: MakeEngine | None,
        ready_seconds: float = READY_SECONDS,
    ) -> None:
        self.make = make
        self.ready_seconds = ready_seconds
        self._conversation = conversation
        self._hub = hub
        self._tasks = tasks
        self._keep = keep
        self._sessions: dict[Id, VoiceSession] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def start(self, chat: Chat, connection: Connection) -> None:
        """Begin a session in a chat; an older one gives way. Its room tells within 10 s whether it is ready.

        Raises Conflict when the chat takes no speech, Unavailable where no engine is set up.
        """
        if (refusal := why_not_heard(chat)) is not None:
            raise refusal
        if self.make is None:
            raise Unavailable("No engine of voice is set up on this server.")
        if (older := self._sessions.get(chat.id)) is not None:
            older.end(Ending(success=True, quiet=True))
        session = VoiceSession(
            chat,
            self.make(),
            conversation=self._conversation,
            hub=self._hub,
            speaker=connection.follower,
            keep=partial(self._keep_later, chat),
            ready_seconds=self.ready_seconds,
        )
        self._sessions[chat.id] = session
        left = partial(session.end, Ending(success=True, message="Its speaker left."))
        connection.speaking[chat.id] = left

        async def run() -> None:
            try:
                await session.run()
            finally:
                if self._sessions.get(chat.id) is session:
                    del self._sessions[chat.id]
                if connection.speaking.get(chat.id) is left:
                    del connection.speaking[chat.id]

        self._tasks.start(f"voice:{session.id}", run, let_go=True)

    def hear(self, chat_id: Id, audio: bytes, *, connection: Connection | None) -> None:
        """Give a session a frame; raises Conflict when there is none in this process.

        One that another connection began hears none of these: it has taken this one's place.
        """
        session = self._of(chat_id)
        if connection is not None and connection.follower is not session.speaker:
            raise Conflict("The chat's voice session was begun by another connection; start one here.")
        session.hear(audio)

    def mute(self, chat_id: Id, *, muted: bool) -> None:
        """Mute a session, or hear it again; raises Conflict when there is none in this process."""
        self._of(chat_id).mute(muted)

    def stop(self, chat_id: Id, *, reason: str) -> None:
        """End a session; raises Conflict when there is none in this process."""
        self._of(chat_id).end(Ending(success=True, message=reason))

    def chat_closed(self, chat_id: Id) -> None:
        """End the session of a chat that is closed, if there is one here."""
        if (session := self._sessions.get(chat_id)) is not None:
            session.end(CHAT_ENDED)

    async def close(self, seconds: float) -> None:
        """End all sessions because this process is about to stop, within so many seconds."""
        going = list(self._sessions.values())
        for session in going:
            session.end(Ending(success=False, message="The server is about to stop; start again."))
        await asyncio.gather(*(self._tasks.wait(f"voice:{session.id}", seconds) for session in going))

    def _of(self, chat_id: Id) -> VoiceSession:
        if (session := self._sessions.get(chat_id)) is None:
            raise Conflict("No voice session goes on in this chat over this server; start one.")
        return session

    def _keep_later(self, chat: Chat, recording_id: Id, audio: bytes) -> None:
        self._tasks.start(f"sound:{recording_id}", partial(self._keep, chat, recording_id, audio))
