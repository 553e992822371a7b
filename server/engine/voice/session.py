"""One voice session: what a learner says becomes turns, and what is answered is spoken (socket-v5 §8)."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import orjson
import structlog

from schemas.attempt import (
    AttemptAudioEnded,
    AttemptAudioReady,
    AttemptError,
    AttemptUserDelta,
    AttemptUserStart,
    Chat,
)
from schemas.envelope import Id, ServerEvent, utc_now
from server.engine.conversation.aloud import Spoken
from server.engine.conversation.chat_place import room_of
from server.engine.conversation.conversation import Conversation
from server.engine.ids import derive, new
from server.engine.voice.engine import (
    EngineEvent,
    Hinted,
    Troubled,
    UserDelta,
    UserSaid,
    UserStarted,
    VoiceEngine,
)
from server.engine.voice.pacing import Inbox, Pacer
from server.engine.voice.reply import Keep, SpokenReply, recording_of
from server.errors import GreenroomError, Unavailable
from server.rooms.entry import Entry, Sound
from server.rooms.follower import Follower
from server.rooms.hub import Hub
from server.rooms.room import Room

log = structlog.get_logger(__name__)
READY_SECONDS = 9.0  # §8 promises an answer within 10 s
IDLE_SECONDS = 300.0
LOOK_SECONDS = 1.0
STORE_SECONDS = 0.2  # between two tries to say something in the room


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a session ended, for people; one that was replaced says nothing in the room."""

    success: bool
    message: str | None = None
    quiet: bool = False


CHAT_ENDED = Ending(success=True, message="The chat has ended.")


class VoiceSession:
    """Hears one chat's learner until somebody ends it; run it once.

    It follows the chat's room: it ends with the chat, and when a newer session begins, in any process. Of
    sessions that begin at once that goes on which is the last to tell there that it is ready.
    """

    def __init__(
        self,
        chat: Chat,
        engine: VoiceEngine,
        *,
        conversation: Conversation,
        hub: Hub,
        speaker: Follower,
        keep: Keep,
        ready_seconds: float = READY_SECONDS,
    ) -> None:
        self.id = new()
        self._chat = chat
        self._room = room_of(chat.id)
        self._engine = engine
        self._conversation = conversation
        self._hub = hub
        self.speaker = speaker
        self._keep = keep
        self._ready_seconds = ready_seconds
        self._inbox = Inbox(self._now)
        self._arrived = asyncio.Event()
        self._over: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._pacer = Pacer(partial(self._sound, "attempt_assistant_audio", but=None))
        self._muted = False
        self._ready_at: int | None = None  # the offset of its telling that it is ready
        self._hinted = 0
        self._latest = chat.tip or self.id  # the message that hints are for
        self._active_at = self._now
        self._speeches: dict[str, tuple[Id, datetime]] = {}  # message and beginning of what is said, by item
        self._said_before = 0
        self._cutting: set[asyncio.Task[bool]] = set()

    # --- from outside ---------------------------------------------------------------------------------------

    def hear(self, audio: bytes) -> None:
        """Take a frame; what comes too fast is dropped, the oldest first."""
        if self._muted or self._over.done():
            return
        self._inbox.put(audio)
        self._arrived.set()
        self._sound("attempt_user_audio", audio, but=self.speaker)

    def mute(self, muted: bool) -> None:
        """Hear nothing, or hear again."""
        if muted != self._muted:
            self._muted = muted
            self._inbox.clear()
            self._engine.mute(muted)

    def end(self, ending: Ending) -> None:
        """End the session; of several reasons the first counts."""
        if not self._over.done():
            self._over.set_result(ending)

    def push(self, room: Room, entries: list[Entry]) -> None:
        """Notice in the chat's room what ends a session."""
        for entry in entries:
            if entry.name == "attempt_chat_ended":
                self.end(CHAT_ENDED)
            elif entry.name == AttemptAudioReady.event:
                told = orjson.loads(entry.data)
                if told.get("session_id") == self.id:
                    self._ready_at = entry.n
                elif told["success"] and self._ready_at is not None and entry.n > self._ready_at:
                    self.end(Ending(success=True, quiet=True))

    # --- running --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until the session ends; cancelling it leaves its end untold."""
        room = await self._hub.room(self._room)
        room.live[self] = None
        try:
            if await self._ready():
                ending = await self._serve()
                await self._engine.aclose()  # nothing more is heard before the end is told
                if not ending.quiet:
                    await self._say(self._ended(ending))
        finally:
            room.live.pop(self, None)
            await self._engine.aclose()

    async def _ready(self) -> bool:
        failure = None
        try:
            async with asyncio.timeout(self._ready_seconds):
                await self._engine.open(self._chat)
        except TimeoutError:
            failure = "The voice engine was not ready in time; try again."
        except GreenroomError as error:
            failure = error.message
        except Exception:  # a bug of ours, or of an engine's library: the learner is told in time
            log.exception("voice engine broke", room=self._room)
            failure = "The voice engine failed."
        if self._over.done() and self._over.result().quiet:
            return False  # that which took its place tells when it is ready
        ready = AttemptAudioReady(
            chat_id=self._chat.id, success=failure is None, message=failure, session_id=self.id
        )
        self._ready_at = await self._say(ready)
        return failure is None

    async def _serve(self) -> Ending:
        parts = [
            asyncio.create_task(part(), name="voice session")
            for part in (self._feed, self._converse, self._watch)
        ]
        for task in parts:
            task.add_done_callback(self._broke)
        try:
            return await self._over
        finally:
            for going in (*parts, *self._cutting):
                going.cancel()
            await asyncio.gather(*parts, *self._cutting, return_exceptions=True)

    def _broke(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            return
        if (error := task.exception()) is None:
            self.end(Ending(success=False, message="The voice engine has ended."))
            return
        if not isinstance(error, GreenroomError):
            log.error("voice session broke", exc_info=error, room=self._room)
        told = error.message if isinstance(error, GreenroomError) else "The voice session failed."
        self.end(Ending(success=False, message=told))

    async def _feed(self) -> None:
        """Give the engine what came, no faster than it may come."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while len(self._inbox):
                frame = self._inbox.take(self._now)
                if isinstance(frame, bytes):
                    self._engine.hear(frame)
                else:
                    await asyncio.sleep(frame)

    async def _converse(self) -> None:
        async for event in self._engine.events():
            self._active_at = self._now
            await self._take(event)

    async def _watch(self) -> None:
        """End a session in which nothing is said for long, or whose chat has ended unseen."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._conversation.is_running(self._chat.id):
                self._active_at = self._now
            if self._now - self._active_at >= IDLE_SECONDS:
                self.end(Ending(success=True, message="Nothing was said for 5 minutes."))
            with suppress(Unavailable):  # looked at again soon
                room = await self._hub.room(self._room)
                room.live[self] = None  # it may have been loaded anew
                if not await self._conversation.is_open(self._chat.id):
                    self.end(CHAT_ENDED)

    # --- what is heard --------------------------------------------------------------------------------------

    async def _take(self, event: EngineEvent) -> None:
        match event:
            case UserStarted(item_id=item_id):
                await self._started(item_id)
            case UserDelta(item_id=item_id, transcript=transcript):
                self._tell(AttemptUserDelta(chat_id=self._chat.id, item_id=item_id, transcript=transcript))
            case UserSaid():
                await self._said(event)
            case Hinted(hints=hints):
                self._hinted += 1
                step = f"{self.id}:{self._hinted}"
                hints = [{**hint, "message_id": self._latest} for hint in hints]
                try:
                    await self._conversation.show_hints(self._chat.id, hints, step=step)
                except Unavailable:
                    log.warning("hints not stored", room=self._room)
            case Troubled(message=message, code=_, fatal=fatal):
                await self._trouble(event)
                if fatal:
                    self.end(Ending(success=False, message=message))

    async def _started(self, item_id: str) -> None:
        """Tell that the learner speaks, and cut off what is being said to them."""
        message_id, began = self._speeches[item_id] = self._begun()
        self._tell(
            AttemptUserStart(
                chat_id=self._chat.id,
                message_id=message_id,
                created_at=began,
                item_id=item_id,
            )
        )
        if self._conversation.is_running(self._chat.id):
            cutting = asyncio.create_task(self._conversation.stop(self._chat.id))
            self._cutting.add(cutting)
            cutting.add_done_callback(self._cut)

    def _cut(self, cutting: "asyncio.Task[bool]") -> None:
        self._cutting.discard(cutting)
        if not cutting.cancelled() and (error := cutting.exception()) is not None:
            log.warning("reply not cut off", room=self._room, reason=type(error).__name__)

    async def _said(self, said: UserSaid) -> None:
        if said.item_id not in self._speeches:
            self._speeches[said.item_id] = self._begun()
        message_id, began = self._speeches.pop(said.item_id)
        if not (text := said.transcript.strip()):
            self._tell(AttemptUserDelta(chat_id=self._chat.id, item_id=said.item_id, transcript=""))
            return
        reply_id = self._latest = derive(message_id, "reply")
        recording = recording_of(message_id, said.audio)
        spoken = Spoken(
            item_id=said.item_id,
            message_id=message_id,
            reply_id=reply_id,
            text=text,
            began=began,
            recording=recording,
        )
        aloud = SpokenReply(self._engine, reply_id, pacer=self._pacer, keep=self._keep)
        if self._cutting:  # late it would stop the answer to this
            await asyncio.wait(self._cutting)
        try:
            await self._conversation.hear(self._chat.id, spoken, aloud=aloud)
            if recording is not None:
                self._keep(recording.id, said.audio)
        except GreenroomError as error:
            self._tell(AttemptUserDelta(chat_id=self._chat.id, item_id=said.item_id, transcript=""))
            await self._trouble(Troubled(message=error.message, code=error.code))

    async def _trouble(self, trouble: Troubled) -> None:
        error = AttemptError(chat_id=self._chat.id, type="audio", message=trouble.message, code=trouble.code)
        self._tell(error)

    # --- telling --------------------------------------------------------------------------------------------

    def _begun(self) -> tuple[Id, datetime]:
        """Return a message's id and beginning; an engine may use the name of an item again."""
        self._said_before += 1
        return derive(self.id, f"speech-{self._said_before}"), utc_now()

    def _ended(self, ending: Ending) -> AttemptAudioEnded:
        return AttemptAudioEnded(
            chat_id=self._chat.id,
            success=ending.success,
            message=ending.message,
            session_id=self.id,
            dropped_frames=self._inbox.dropped,
        )

    def _tell(self, event: ServerEvent) -> None:
        """Say something in the room that may be lost when the log cannot keep up."""
        try:
            flight = self._hub.log.publish(self._room, event.event, event.encode())
        except Unavailable:
            log.warning("voice event lost", room=self._room, event_name=event.event)
        else:
            flight.add_done_callback(_looked_at)

    async def _say(self, event: ServerEvent) -> int:
        """Say something in the room that must be there; return its offset."""
        while True:
            try:
                return await self._hub.log.publish(self._room, event.event, event.encode())
            except Unavailable:
                await asyncio.sleep(STORE_SECONDS)

    def _sound(self, name: str, audio: bytes, *, but: Follower | None) -> None:
        head = b'{"chat_id":"%b","content_type":"audio","room":"%b"}' % (
            self._chat.id.encode(),
            self._room.encode(),
        )
        self._hub.sound(Sound(self._room, name, head, audio), but=but)

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _looked_at(flight: "asyncio.Future[int]") -> None:
    if not flight.cancelled() and flight.exception() is not None:
        log.warning("voice event lost")
