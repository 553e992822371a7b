"""The engine of voice that is an OpenAI-compatible Realtime endpoint: the mapping of its events (§8)."""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

import structlog

from schemas.attempt import Chat
from schemas.envelope import JsonObject
from server.engine.conversation.parties import Party, instructions, path_to
from server.engine.voice.engine import (
    EngineEvent,
    Hinted,
    Play,
    Troubled,
    UserDelta,
    UserSaid,
    UserStarted,
)
from server.engine.voice.realtime_events import HINTS_TOOL, hints_of, number_of, text_of, usage_of
from server.engine.voice.realtime_reply import RealtimeParty, RealtimeReply, Words
from server.engine.voice.speech import CHAT_RATE, SAMPLE_BYTES
from server.errors import Upstream
from server.llm.realtime import Realtime, RealtimeLine

log = structlog.get_logger(__name__)
RETRIES = (0.2, 0.5, 1.0, 2.0, 4.0)  # seconds before each try to come back
TRANSCRIPT_SECONDS = 3.0  # after the end of a speech; a turn without words is "…" then
MAX_WAITING = 500  # frames that wait to be sent
KEPT_SECONDS = 120  # of what was sent, for the recordings of turns
UNHEARD = "…"


@dataclass(eq=False)
class _Speech:
    """Something that the learner says; milliseconds of the sound that was sent."""

    start_ms: int
    end_ms: int | None = None
    transcript: str = ""
    told: bool = False


class RealtimeEngine:
    """One voice session over a realtime session; when that drops, another goes on from what was said."""

    def __init__(self, endpoint: Realtime, *, voice: str, transcription: str) -> None:
        self._endpoint = endpoint
        self._voice = voice
        self._transcription = transcription
        self._chat: Chat | None = None
        self._line: RealtimeLine | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._events: asyncio.Queue[EngineEvent | None] = asyncio.Queue()
        self._sending: asyncio.Queue[JsonObject] = asyncio.Queue(MAX_WAITING)
        self._replies: dict[str | None, RealtimeReply] = {}  # nobody says yet, by the speech they answer
        self._replied = asyncio.Event()
        self._reply: RealtimeReply | None = None
        self._stopped: str | None = None  # the newest speech that has ended, which a new reply answers
        self._turn: str | None = None  # the newest that was told of as a turn
        self._speeches: dict[str, _Speech] = {}
        self._turns: list[Words] = []  # of this session
        self._sound = bytearray()
        self._sound_from_ms = 0.0  # where `_sound` begins, in milliseconds of what was sent to this line
        self._muted = False
        self._closed = False
        self._steps: dict[str, Callable[[JsonObject], None]] = _steps(self)

    # --- as an engine ---------------------------------------------------------------------------------------

    async def open(self, chat: Chat) -> None:
        """Open a realtime session that knows what was said; raises Upstream."""
        self._chat = chat
        self._line = await self._connected()
        for part in (self._send_all, self._receive_all):
            self._tasks.append(asyncio.create_task(part(), name="realtime voice"))

    def hear(self, audio: bytes) -> None:
        """Send sound to the endpoint; what it does not take in time is dropped."""
        if self._muted or self._closed or self._sending.full():
            return
        self._sound += audio
        self._forget_sound()
        encoded = base64.b64encode(audio).decode()
        self._sending.put_nowait({"type": "input_audio_buffer.append", "audio": encoded})

    def mute(self, muted: bool) -> None:
        """Send nothing while muted; what was half heard is cleared when it ends."""
        if self._muted and not muted:
            self._send({"type": "input_audio_buffer.clear"})
        self._muted = muted

    async def events(self) -> AsyncIterator[EngineEvent]:
        """Yield what is heard until the engine is closed."""
        while (event := await self._events.get()) is not None:
            if isinstance(event, UserSaid):
                self._turn = event.item_id
            yield event

    def party(self, reply: Party, *, play: Play) -> Party:
        """Return who says what the endpoint answers."""
        return RealtimeParty(partial(self._answer, self._turn), play=play, ended=self._answered)

    async def aclose(self) -> None:
        """End it; may be called twice."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._line is not None:
            await self._line.close()
        self._events.put_nowait(None)

    # --- the session ----------------------------------------------------------------------------------------

    async def _connected(self) -> RealtimeLine:
        """Return a session that is configured and knows what was said; raises Upstream."""
        assert self._chat is not None
        line = await self._endpoint.connect()
        try:
            await line.send({"type": "session.update", "session": self._session(self._chat)})
            said = [(m.role, m.content) for m in path_to(self._chat.messages, self._chat.tip)]
            turns = [*said, *((turn.role, turn.text) for turn in self._turns)]
            for role, words in turns:
                if not words.strip():
                    continue  # cut off before its first word
                kind = "input_text" if role == "user" else "output_text"
                content = [{"type": kind, "text": words}]
                item = {"type": "message", "role": role, "content": content}
                await line.send({"type": "conversation.item.create", "item": item})
        except BaseException:
            await line.close()
            raise
        self._sound_from_ms, self._sound = 0.0, bytearray()
        return line

    def _session(self, chat: Chat) -> JsonObject:
        sound = {"type": "audio/pcm", "rate": CHAT_RATE}
        return {
            "type": "realtime",
            "instructions": instructions(chat),
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": sound,
                    "transcription": {"model": self._transcription},
                    "turn_detection": {
                        "type": "server_vad",
                        "create_response": True,
                        "interrupt_response": True,
                    },
                },
                "output": {"format": sound, "voice": self._voice},
            },
            "tools": [HINTS_TOOL] if chat.template.hints_enabled else [],
        }

    async def _send_all(self) -> None:
        while True:
            event = await self._sending.get()
            if self._line is not None:
                try:
                    await self._line.send(event)
                except Upstream:
                    continue  # who receives notices, and comes back

    async def _receive_all(self) -> None:
        while True:
            assert self._line is not None
            event = await self._line.receive()
            if event is None:
                if not await self._come_back():
                    return
            elif (step := self._steps.get(event["type"])) is not None:
                step(event)

    async def _come_back(self) -> bool:
        """Open another session after one was dropped; a reply under way ends with what was heard of it."""
        if self._reply is not None:
            self._reply.end(Upstream("The voice endpoint dropped the session."))
            self._reply = None
        self._speeches.clear()
        for seconds in RETRIES:
            await asyncio.sleep(seconds)
            try:
                self._line = await self._connected()
            except Upstream as error:
                log.warning("realtime session not opened again", reason=error.message)
            else:
                return True
        told = "The voice endpoint dropped the session and does not come back; start again."
        self._tell(Troubled(message=told, code="upstream", fatal=True))
        return False

    def _send(self, event: JsonObject) -> None:
        if not self._sending.full():
            self._sending.put_nowait(event)

    def _tell(self, event: EngineEvent) -> None:
        self._events.put_nowait(event)

    async def _answer(self, item_id: str | None) -> RealtimeReply:
        """Return the reply to a turn; those before it were to what was no turn, or came too late."""
        while item_id not in self._replies:
            self._replied.clear()
            await self._replied.wait()
        while (asked := next(iter(self._replies))) != item_id:
            del self._replies[asked]
        reply = self._replies.pop(item_id)
        self._turns.append(reply.said)
        return reply

    def _answered(self, reply: RealtimeReply) -> None:
        """Have the endpoint forget what was not heard of a reply that was cut off."""
        if reply.over and reply.parts.empty():
            return
        if not reply.over:
            self._send({"type": "response.cancel"} | ({"response_id": reply.id} if reply.id else {}))
            reply.end()
        if reply.item_id is not None:
            heard_ms = round(reply.played * 1000)
            self._send(
                {
                    "type": "conversation.item.truncate",
                    "item_id": reply.item_id,
                    "content_index": 0,
                    "audio_end_ms": heard_ms,
                }
            )

    # --- what the learner says ------------------------------------------------------------------------------

    def speech_started(self, event: JsonObject) -> None:
        """The learner begins to speak."""
        item_id = text_of(event, "item_id")
        self._speeches[item_id] = _Speech(start_ms=number_of(event, "audio_start_ms"))
        self._tell(UserStarted(item_id=item_id))

    def speech_stopped(self, event: JsonObject) -> None:
        """The learner has spoken; words have some seconds to come."""
        item_id = text_of(event, "item_id")
        self._stopped = item_id
        if (speech := self._speeches.get(item_id)) is not None:
            speech.end_ms = number_of(event, "audio_end_ms")
            loop = asyncio.get_running_loop()
            loop.call_later(TRANSCRIPT_SECONDS, self._said, item_id, None)

    def transcribing(self, event: JsonObject) -> None:
        """Some more words were understood."""
        item_id = text_of(event, "item_id")
        if (speech := self._speeches.get(item_id)) is not None and not speech.told:
            speech.transcript += text_of(event, "delta")
            self._tell(UserDelta(item_id=item_id, transcript=speech.transcript))

    def transcribed(self, event: JsonObject) -> None:
        """All words were understood."""
        self._said(text_of(event, "item_id"), text_of(event, "transcript"))

    def not_transcribed(self, event: JsonObject) -> None:
        """What was said is not understood."""
        self._tell(Troubled(message="What was said could not be understood.", code="upstream"))
        self._said(text_of(event, "item_id"), "")

    def _said(self, item_id: str, transcript: str | None) -> None:
        speech = self._speeches.get(item_id)
        if speech is None or speech.told or self._closed:
            return
        speech.told = True
        words = (speech.transcript or UNHEARD) if transcript is None else transcript
        if words.strip():
            self._turns.append(Words("user", words))
        self._tell(UserSaid(item_id=item_id, transcript=words, audio=self._sound_of(speech)))

    def _sound_of(self, speech: _Speech) -> bytes:
        start = self._place(speech.start_ms)
        return bytes(self._sound[start : self._place(speech.end_ms) if speech.end_ms is not None else None])

    def _place(self, at_ms: float) -> int:
        samples = round((at_ms - self._sound_from_ms) * CHAT_RATE / 1000)
        return max(0, samples * SAMPLE_BYTES)

    def _forget_sound(self) -> None:
        extra = len(self._sound) - KEPT_SECONDS * CHAT_RATE * SAMPLE_BYTES
        if extra > 0:
            del self._sound[:extra]
            self._sound_from_ms += extra / (CHAT_RATE * SAMPLE_BYTES) * 1000

    # --- what is answered -----------------------------------------------------------------------------------

    def response_created(self, event: JsonObject) -> None:
        """A reply begins; who gives it asks for it once the turn is stored."""
        response = event.get("response")
        reply_id = response.get("id") if isinstance(response, dict) else None
        self._reply = RealtimeReply(id=reply_id, asked=self._stopped)

    def item_added(self, event: JsonObject) -> None:
        """A reply has words, or calls a function; only one with words is said."""
        item = event.get("item")
        if not isinstance(item, dict) or item.get("type") != "message":
            return
        if self._reply is None:
            self._reply = RealtimeReply(asked=self._stopped)
        if self._reply.item_id is None:
            self._reply.item_id = str(item.get("id"))
            self._replies[self._reply.asked] = self._reply
            self._replied.set()

    def sounded(self, event: JsonObject) -> None:
        """Some more of a reply's sound."""
        try:
            sound = base64.b64decode(text_of(event, "delta"), validate=True)
        except binascii.Error:
            return
        if self._reply is not None and not self._reply.over:
            self._reply.add(sound)

    def worded(self, event: JsonObject) -> None:
        """Some more of a reply's words."""
        if self._reply is not None and not self._reply.over:
            self._reply.add(text_of(event, "delta"))

    def response_done(self, event: JsonObject) -> None:
        """A reply has ended: whole, cancelled or failed."""
        response = event.get("response")
        fields = response if isinstance(response, dict) else {}
        reply, self._reply = self._reply, None
        if reply is None:
            return
        reply.usage = usage_of(fields.get("usage"))
        failed = fields.get("status") in ("failed", "incomplete")
        reply.end(Upstream("The voice endpoint could not finish its answer.") if failed else None)

    def called(self, event: JsonObject) -> None:
        """The endpoint's model shows hints; its reply goes on after the answer."""
        if (hints := hints_of(event)) is not None:
            self._tell(Hinted(hints=hints))
        output = {
            "type": "function_call_output",
            "call_id": text_of(event, "call_id"),
            "output": '{"shown":true}',
        }
        self._send({"type": "conversation.item.create", "item": output})
        if self._reply is None or self._reply.item_id is None:
            self._send({"type": "response.create"})

    def failed(self, event: JsonObject) -> None:
        """The endpoint tells an error."""
        error = event.get("error")
        fields = error if isinstance(error, dict) else {}
        if fields.get("code") == "response_cancel_not_active":
            return  # it had ended just before
        log.warning("realtime endpoint tells an error", code=str(fields.get("code"))[:100])
        message = str(fields.get("message") or "The voice endpoint tells an error.")[:500]
        self._tell(Troubled(message=message, code="upstream"))


def _steps(engine: RealtimeEngine) -> dict[str, Callable[[JsonObject], None]]:
    """Return what is done with each event; the names of before 2025-08 are there too."""
    heard = "conversation.item.input_audio_transcription"
    return {
        "input_audio_buffer.speech_started": engine.speech_started,
        "input_audio_buffer.speech_stopped": engine.speech_stopped,
        f"{heard}.delta": engine.transcribing,
        f"{heard}.completed": engine.transcribed,
        f"{heard}.failed": engine.not_transcribed,
        "response.created": engine.response_created,
        "response.output_item.added": engine.item_added,
        "response.output_audio.delta": engine.sounded,
        "response.audio.delta": engine.sounded,
        "response.output_audio_transcript.delta": engine.worded,
        "response.audio_transcript.delta": engine.worded,
        "response.output_text.delta": engine.worded,
        "response.text.delta": engine.worded,
        "response.function_call_arguments.done": engine.called,
        "response.done": engine.response_done,
        "error": engine.failed,
    }
