"""Playground sessions: a grounded chat with its settings, as stored, as read, and its room's events."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field

from schemas.envelope import (
    MAX_CLIENT_EVENT_ID,
    Change,
    ErrorCode,
    Id,
    JsonObject,
    Payload,
    Reply,
    ServerEvent,
    Time,
    Usage,
)
from schemas.retrieval import CLASS_NAME, ClassName, Component, RetrievalParams, or_default
from schemas.stored import Owner, RunningReply

MAX_MESSAGE = 32_000  # characters
MAX_KEPT = 64_000  # characters of a message that was said before, answers among them
MAX_MESSAGES = 400
MAX_SESSION = 4 * 1024 * 1024  # bytes of messages in a session
ModelName = Literal["GPT_3_5_TURBO", "GPT_4", "GPT_4_TURBO", "GPT_4O", "GPT_4O_MINI", "AZURE_OPENAI"]
MessageRole = Literal["system", "user", "assistant", "function", "tool", "chatbot", "model"]


class LlmParams(Component):
    """How a session's answers are made; `model_name` stands for a configured model."""

    model_name: Annotated[ModelName, or_default("GPT_4O_MINI")] = "GPT_4O_MINI"
    system_prompt: Annotated[str, Field(max_length=32_000)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.1
    use_chain_of_thought_reasoning: bool | None = None
    class_name: ClassName = CLASS_NAME


class Annotation(Component):
    """Something said about a message; `data` is JSON in a text."""

    type: Annotated[str, Field(max_length=100)]
    data: str
    class_name: ClassName = CLASS_NAME


class ChatMessage(Component):
    """A message of a session as it is kept and read; its place is `index`."""

    id: Id
    index: int
    annotations: list[Annotation] = []
    role: MessageRole
    content: str | None = None
    additional_kwargs: dict[str, str] = {}
    class_name: str = CLASS_NAME


class Source(BaseModel):
    """A passage that an answer rests on: the whole of it was read by the model, `excerpt` begins it."""

    document_id: str
    chunk_id: Id
    score: float
    excerpt: str
    document: str | None = None  # its name, where the metadata has one


class PlaygroundSession(BaseModel):
    """A session as it is stored; one for each user and pipeline. `user_key` is the identity's.

    What a message has besides its text stands in its annotations, whose `data` is JSON: its `sources`, the
    `reasoning` before it, its `usage`, and its `state` where it was not said to its end.
    """

    id: Id
    org: str
    owner: Owner
    user_key: str
    pipeline_id: Id
    created_at: Time
    updated_at: Time
    llm_params_id: Id
    llm_params: LlmParams = LlmParams()
    retrieval_params_id: Id
    retrieval_params: RetrievalParams
    chat_messages: list[ChatMessage] = []
    size: int = 0  # bytes of the messages
    version: int = 0  # counts what users change
    reply: RunningReply | None = None
    answer_id: Id | None = None  # of the newest answer, also when it left no message
    forgotten_at: Time | None = None


class SessionView(BaseModel):
    """A session as clients read it."""

    id: Id
    created_at: Time
    updated_at: Time
    pipeline_id: Id
    user_id: Id
    llm_params_id: Id
    llm_params: LlmParams
    retrieval_params_id: Id
    retrieval_params: RetrievalParams
    chat_messages: list[ChatMessage]


class SentMessage(Component):
    """A message of a chat request; one without an id gets one."""

    id: Id | None = None
    role: MessageRole
    content: Annotated[str, Field(max_length=MAX_KEPT)] | None = None


class SessionPatch(Component):
    """What changes of a session: fields that are given replace those of its settings."""

    llm_params: LlmParams | None = None
    retrieval_params: RetrievalParams | None = None


class ChatData(Component):
    """The settings of a chat request: what is given is used, and kept in the session."""

    retrieval_parameters: RetrievalParams | None = None
    llm_parameters: LlmParams | None = None


class ChatRequest(Component):
    """A chat over HTTP: the conversation so far, ending with what the user says now."""

    messages: Annotated[list[SentMessage], Field(min_length=1, max_length=MAX_MESSAGES)]
    data: ChatData | None = None
    client_event_id: Annotated[str, Field(min_length=1, max_length=MAX_CLIENT_EVENT_ID)] | None = None


# --- client events ------------------------------------------------------------------------------------------


class PlaygroundJoin(Payload):
    """Follow one's own session of a pipeline, which is made if there is none."""

    event: ClassVar[str] = "playground_join"

    pipeline_id: Id
    after: int | None = None
    epoch: str | None = Field(default=None, max_length=64)


class PlaygroundMessage(Change):
    """Say something in one's own session of a pipeline; the answer rests on its documents."""

    event: ClassVar[str] = "playground_message"

    pipeline_id: Id
    message: Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE, pattern=r"\S")]


class PlaygroundStop(Change):
    """Stop the answer that is being given; what was said of it is kept."""

    event: ClassVar[str] = "playground_stop"

    pipeline_id: Id


class PlaygroundJoinReply(Reply):
    """Where the session's room is followed from; `snapshot` is its state when a place was not resumed."""

    session_id: Id
    room: str
    epoch: str
    offset: int
    recovered: bool
    snapshot: JsonObject | None = None


class PlaygroundMessageReply(Reply):
    """The id of the stored message, and that of the answer to it."""

    message_id: Id
    assistant_message_id: Id


class PlaygroundStopReply(Reply):
    """The answer that was stopped; what was said of it is kept."""

    message_id: Id


# --- events of the room -------------------------------------------------------------------------------------


class PlaygroundUpdated(ServerEvent):
    """The session's settings, or the conversation before the next message, are replaced by these.

    Of a long conversation only the newest messages are told; `more` says that there are others before them.
    """

    event: ClassVar[str] = "playground_updated"

    session_id: Id
    llm_params: JsonObject | None = None
    retrieval_params: JsonObject | None = None
    chat_messages: list[JsonObject] | None = None
    more: bool | None = None


class PlaygroundUserComplete(ServerEvent):
    """The user's message is stored; the answer `assistant_message_id` begins."""

    event: ClassVar[str] = "playground_user_complete"

    session_id: Id
    message_id: Id
    content: str
    assistant_message_id: Id


class PlaygroundSources(ServerEvent):
    """What the answer will rest on, best first; `mode` is how it was found."""

    event: ClassVar[str] = "playground_sources"

    session_id: Id
    message_id: Id
    sources: list[Source]
    mode: str
    rerank: str


class PlaygroundProgress(ServerEvent):
    """A part of an answer; all parts together are its text."""

    event: ClassVar[str] = "playground_progress"

    session_id: Id
    message_id: Id
    content: str


class PlaygroundComplete(ServerEvent):
    """An answer is stored; `state` says how it ended, `reasoning` is what the model thought before it."""

    event: ClassVar[str] = "playground_complete"

    session_id: Id
    message_id: Id
    content: str
    usage: Usage | None = None
    state: Literal["complete", "stopped", "interrupted", "failed"] = "complete"
    reasoning: str | None = None


class PlaygroundError(ServerEvent):
    """An answer could not be given, or not to its end; what a sender did wrong names no session."""

    event: ClassVar[str] = "playground_error"

    session_id: Id | None = None
    message: str
    code: ErrorCode
    message_id: Id | None = None


class PlaygroundForgotten(ServerEvent):
    """The session is deleted; joining makes a new one."""

    event: ClassVar[str] = "playground_forgotten"

    session_id: Id
