"""Attempts: client events, server events and the stored documents."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field, StringConstraints, field_validator, model_validator

from schemas.content import ChatFlag, ChatTemplate, Document, Persona, Rubric, Scenario
from schemas.envelope import Change, Id, JsonObject, Payload, Reply, ServerEvent, Time, Usage
from schemas.grade import Grade, ResourceType
from schemas.playground import Source
from schemas.stored import Owner, Recording, RunningReply, Work

MAX_MESSAGE = 32_000
MAX_AUDIO_FRAME = 64 * 1024
AttemptErrorType = Literal[
    "start", "next", "proceed", "end", "join", "send", "stop", "grade", "quiz", "audio", "rate_limit"
]
MessageText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_MESSAGE, pattern=r"\S")]
Instructions = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=4_000)]], Field(min_length=1, max_length=20)
]

# --- client events -----------------------------------------------------------------------------------------


class AttemptStart(Change):
    """Create an attempt of a home or a practice."""

    event: ClassVar[str] = "attempt_start"

    home_id: Id | None = None
    practice_id: Id | None = None
    infinite_mode: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> "AttemptStart":
        if (self.home_id is None) == (self.practice_id is None):
            raise ValueError("give exactly one of home_id and practice_id")
        return self


class AttemptNext(Change):
    """Proceed to the next scenario, past its lobby."""

    event: ClassVar[str] = "attempt_next"

    attempt_id: Id
    draft_id: Id | None = None


class AttemptJoin(Payload):
    """Follow a chat from an offset, or from a snapshot."""

    event: ClassVar[str] = "attempt_join"

    chat_id: Id
    after: int | None = None
    epoch: str | None = Field(default=None, max_length=64)
    audio: bool = False


class AttemptLeave(Payload):
    """Stop following a chat."""

    event: ClassVar[str] = "attempt_leave"

    chat_id: Id


class AttemptMessage(Change):
    """Say something in a chat; the persona answers."""

    event: ClassVar[str] = "attempt_message"

    attempt_id: Id
    chat_id: Id
    message: MessageText
    parent_message_id: Id | None = None


class AttemptStop(Change):
    """Stop the running reply of a chat."""

    event: ClassVar[str] = "attempt_stop"

    chat_id: Id


class AttemptEnd(Change):
    """Close a chat, grade it, and proceed."""

    event: ClassVar[str] = "attempt_end"

    attempt_id: Id
    chat_id: Id
    grade: bool = True


class AttemptEndAll(Change):
    """Close and grade all open chats and end the attempt."""

    event: ClassVar[str] = "attempt_end_all"

    attempt_id: Id


class AttemptGrade(Change):
    """Grade a closed chat again, or every closed chat of an attempt."""

    event: ClassVar[str] = "attempt_grade"

    attempt_id: Id
    chat_id: Id | None = None
    resource_types: Annotated[list[ResourceType], Field(min_length=1)] | None = None
    user_instructions: Instructions | None = None


class AttemptResponseSubmit(Change):
    """Answer a question of a chat."""

    event: ClassVar[str] = "attempt_response_submit"

    chat_id: Id
    question_id: Id
    option_ids: Annotated[list[Id], Field(min_length=1, max_length=20)]


class AttemptUsePrevious(Change):
    """Use earlier graded chats for scenarios of this attempt."""

    event: ClassVar[str] = "attempt_use_previous"

    attempt_id: Id
    previous_chat_map: Annotated[dict[Id, Id | None], Field(min_length=1, max_length=200)]


class AttemptAudioStart(Change):
    """Start a voice session in a chat."""

    event: ClassVar[str] = "attempt_audio_start"

    chat_id: Id


class AttemptAudioFrame(Payload):
    """A piece of what is said: PCM, 16 bit little-endian, one channel, 24 kHz, as an attachment."""

    event: ClassVar[str] = "attempt_audio_frame"
    raw: ClassVar[str | None] = "audio"

    chat_id: Id
    audio: Annotated[bytes, Field(min_length=2, max_length=MAX_AUDIO_FRAME)]

    @field_validator("audio")
    @classmethod
    def _whole(cls, audio: bytes) -> bytes:
        if len(audio) % 2:
            raise ValueError("half a sample is left over: samples have two bytes")
        return audio


class AttemptAudioMute(Change):
    """Mute the voice session of a chat, or hear it again."""

    event: ClassVar[str] = "attempt_audio_mute"

    chat_id: Id
    muted: bool


class AttemptAudioStop(Change):
    """Stop the voice session of a chat."""

    event: ClassVar[str] = "attempt_audio_stop"

    chat_id: Id
    end_reason: str = Field(default="user_stopped", max_length=200)


# --- acks --------------------------------------------------------------------------------------------------


class AttemptStartReply(Reply):
    """Ack of attempt_start."""

    attempt_id: Id
    chat_entry_id: Id
    chat_id: Id | None = None


class AttemptNextReply(Reply):
    """Ack of attempt_next; no chat_id when nothing was left."""

    chat_id: Id | None = None


class JoinReply(Reply):
    """Ack of every join."""

    room: str
    epoch: str
    offset: int
    recovered: bool
    snapshot: JsonObject | None = None


class AttemptMessageReply(Reply):
    """Ack of attempt_message."""

    message_id: Id
    assistant_message_id: Id


class AttemptEndReply(Reply):
    """Ack of attempt_end; grade_id is null when nothing is graded."""

    chat_id: Id
    grade_id: Id | None


class AttemptEndAllReply(Reply):
    """Ack of attempt_end_all."""

    chat_ids: list[Id]


class AttemptGradeReply(Reply):
    """Ack of attempt_grade."""

    grade_ids: list[Id]


class AttemptResponseReply(Reply):
    """Ack of attempt_response_submit."""

    response_id: Id
    is_correct: bool


class AttemptUsePreviousReply(Reply):
    """Ack of attempt_use_previous."""

    chat_ids: list[Id]


# --- server events -----------------------------------------------------------------------------------------


class AttemptStarted(ServerEvent):
    """An attempt exists, or waits in the lobby of its next scenario."""

    event: ClassVar[str] = "attempt_started"

    attempt_id: Id
    chat_entry_id: Id


class AttemptChatStarted(ServerEvent):
    """A chat of an attempt exists."""

    event: ClassVar[str] = "attempt_chat_started"

    attempt_id: Id
    chat_id: Id


class AttemptChatEnded(ServerEvent):
    """A chat has ended; its grade is known when it has one."""

    event: ClassVar[str] = "attempt_chat_ended"

    chat_id: Id
    is_attempt_finished: bool | None = None
    grade_id: Id | None = None


class AttemptEnded(ServerEvent):
    """An attempt has ended."""

    event: ClassVar[str] = "attempt_ended"

    attempt_id: Id
    success: bool
    all_scenarios_complete: bool = False
    message: str | None = None


class AttemptError(ServerEvent):
    """Something failed; `code` is one of the closed error codes."""

    event: ClassVar[str] = "attempt_error"

    chat_id: Id | None = None
    type: AttemptErrorType | None = None
    message: str
    code: str
    message_id: Id | None = None
    grade_id: Id | None = None


class AttemptGraded(ServerEvent):
    """A grade is stored."""

    event: ClassVar[str] = "attempt_graded"

    chat_id: Id
    grade_id: Id | None = None
    score: float | None = None
    total_points: float | None = None
    percentage: float | None = None
    passed: bool | None = None


class AttemptJoined(ServerEvent):
    """Everything up to the join's offset has been sent."""

    event: ClassVar[str] = "attempt_joined"

    chat_id: Id
    success: bool


class AttemptStopped(ServerEvent):
    """A reply was stopped, or there was none to stop."""

    event: ClassVar[str] = "attempt_stopped"

    chat_id: Id
    success: bool
    message: str | None = None


class AttemptResponseResult(ServerEvent):
    """An answer was judged."""

    event: ClassVar[str] = "attempt_response_result"

    success: bool
    message: str | None = None
    is_correct: bool | None = None
    response_id: Id | None = None
    chat_id: Id | None = None
    question_id: Id | None = None
    option_ids: list[Id] | None = None


class AttemptAssistantStart(ServerEvent):
    """A reply begins."""

    event: ClassVar[str] = "attempt_assistant_start"

    chat_id: Id
    message_id: Id
    created_at: Time
    parent_message_id: Id | None = None


class AttemptSources(ServerEvent):
    """What a reply rests on, best first, before its first word: of personas that name a pipeline."""

    event: ClassVar[str] = "attempt_sources"

    chat_id: Id
    message_id: Id
    sources: list[Source]


class AttemptAssistantComplete(ServerEvent):
    """A reply is stored; `state` says how it ended."""

    event: ClassVar[str] = "attempt_assistant_complete"

    chat_id: Id
    message_id: Id
    content: str | None = None
    usage: Usage | None = None
    state: Literal["complete", "stopped", "interrupted", "failed"] | None = None
    audio: Recording | None = None


class AttemptProgress(ServerEvent):
    """A part of a reply; all deltas together are its text."""

    event: ClassVar[str] = "attempt_progress"

    chat_id: Id
    content_type: Literal["delta", "audio"]
    content: str | None = None
    audio: bytes | None = None
    message_id: Id | None = None


class AttemptAssistantAudio(AttemptProgress):
    """A part of a spoken reply: PCM as in attempt_audio_frame. Live only, for who listens."""

    event: ClassVar[str] = "attempt_assistant_audio"


class AttemptUserAudio(AttemptProgress):
    """A part of what the learner says, for members that joined to listen. Live only."""

    event: ClassVar[str] = "attempt_user_audio"


class AttemptUserStart(ServerEvent):
    """A learner's message begins."""

    event: ClassVar[str] = "attempt_user_start"

    chat_id: Id
    message_id: Id
    created_at: Time
    item_id: str | None = None
    parent_message_id: Id | None = None


class AttemptUserComplete(ServerEvent):
    """A learner's message is stored; what it follows is told here if it was spoken, else at its start."""

    event: ClassVar[str] = "attempt_user_complete"

    chat_id: Id
    message_id: Id
    content: str
    created_at: Time
    item_id: str | None = None
    parent_message_id: Id | None = None
    audio: Recording | None = None


class AttemptUserDelta(ServerEvent):
    """What has been understood of speech so far."""

    event: ClassVar[str] = "attempt_user_delta"

    chat_id: Id
    item_id: str
    transcript: str


class AttemptAudioReady(ServerEvent):
    """A voice session is ready, or could not start."""

    event: ClassVar[str] = "attempt_audio_ready"

    chat_id: Id
    success: bool
    message: str | None = None
    session_id: Id | None = None


class AttemptAudioEnded(ServerEvent):
    """A voice session has ended; `dropped_frames` came faster than they may."""

    event: ClassVar[str] = "attempt_audio_ended"

    chat_id: Id
    success: bool
    message: str | None = None
    session_id: Id | None = None
    dropped_frames: int | None = None


class AttemptContentProgress(ServerEvent):
    """A part of a grade beyond its scores: strengths, improvements, analyses."""

    event: ClassVar[str] = "attempt_content_progress"

    chat_id: Id
    grade_id: Id | None = None
    resource_type: ResourceType | None = None
    entry: JsonObject | None = None


class AttemptGradingProgress(AttemptContentProgress):
    """A step of grading: its start, and each standard group as it is judged."""

    event: ClassVar[str] = "attempt_grading_progress"


class AttemptHintProgress(ServerEvent):
    """Hints for the learner's next message."""

    event: ClassVar[str] = "attempt_hint_progress"

    chat_id: Id
    hints: list[JsonObject]


# --- stored documents --------------------------------------------------------------------------------------


MessageState = Literal["complete", "stopped", "interrupted", "failed"]


class Message(BaseModel):
    """One message of a chat; messages form a tree. `sources` is what a grounded persona's reply rests on."""

    id: Id
    role: Literal["user", "assistant"]
    content: str
    parent_message_id: Id | None = None
    created_at: Time
    state: MessageState = "complete"
    usage: Usage | None = None
    sources: list[Source] | None = None
    audio: Recording | None = None


class Response(BaseModel):
    """A learner's answer to a question."""

    id: Id
    question_id: Id
    option_ids: list[Id]
    is_correct: bool
    created_at: Time


class Chat(BaseModel):
    """A chat: one scenario, practised once."""

    id: Id
    attempt_id: Id
    chat_entry_id: Id
    owner: Owner
    org: str
    status: Literal["open", "closed"] = "open"
    created_at: Time
    closed_at: Time | None = None
    deadline: Time | None = None
    template: ChatTemplate
    scenario: Scenario
    persona: Persona
    documents: list[Document] = []
    rubric: Rubric | None = None
    messages: list[Message] = []
    tip: Id | None = None
    size: int = 0
    responses: list[Response] = []
    hints: list[JsonObject] = []
    grades: list[Grade] = []
    reply: RunningReply | None = None
    work: list[Work] = []
    closed_by: Id | None = None
    ended: bool = False  # attempt_chat_ended is out: graded, if it was to be


class ChatEntry(BaseModel):
    """A scenario's place in an attempt; chat_entry_id names it before it has a chat."""

    chat_entry_id: Id
    scenario_id: Id
    rubric_id: Id | None = None
    position: int
    cycle: int = 0
    time_limit: float | None = None
    use_custom: bool = False
    use_previous: bool = False
    chat_id: Id | None = None
    state: Literal["pending", "lobby", "open", "done"] = "pending"
    reused: bool = False
    passed: bool = False  # its lobby is not to be shown any more
    persona_id: Id | None = None  # with whom this profile practises, whatever the scenario says
    flags: dict[ChatFlag, bool] = {}  # settings of this place that differ from the scenario's
    draft_id: Id | None = None  # what its learner made of it in the lobby
    preparing: Id | None = None  # the generation that makes its content
    generation_id: Id | None = None  # the generation that has made it
    tries: int = 0  # of generations
    by: Id | None = None  # the request that moved it on, so that running it again changes nothing


class Attempt(BaseModel):
    """One go at a home or a practice."""

    id: Id
    owner: Owner
    org: str
    home_id: Id | None = None
    practice_id: Id | None = None
    name: str
    infinite_mode: bool = False
    cycle: int = 0
    status: Literal["open", "ending", "ended"] = "open"
    all_scenarios_complete: bool = False
    created_at: Time
    ended_at: Time | None = None
    entries: list[ChatEntry]
    rev: int = 0
