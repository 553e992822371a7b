"""What HTTP answers of attempts and chats, as their learners may see them."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from schemas.attempt import Attempt, Message, MessageState
from schemas.content import ChatTemplate, Document
from schemas.content import Media as Picture
from schemas.envelope import Id, JsonObject, Time
from schemas.grade import Grade
from schemas.stored import Owner
from server.transports.documents.shapes import Place
from server.transports.documents.told import Each, Row


class AttemptPlus(TypedDict):
    """The chats of an attempt; alone, it also says where its room goes on."""

    chat_ids: list[Id]


class AttemptPlace(AttemptPlus, Place):
    """An attempt with the place of its room."""


ATTEMPT_ITEM = Row(name="AttemptRow", model=Attempt, without=("org", "rev"), plus=AttemptPlus)
ATTEMPT = Row(name="AttemptWhole", model=Attempt, without=("org", "rev"), plus=AttemptPlace)


class InChat(TypedDict):
    """The chat of a message or grade."""

    chat_id: Id | None


class Timer(TypedDict):
    """How a chat's time stands, in seconds."""

    limit: float | None
    elapsed: float
    exceeded: bool
    negative: bool


class ShownPersona(TypedDict):
    """A persona as learners see it."""

    id: Id
    name: str
    description: str
    color: str | None
    icon: str | None


class ShownOption(TypedDict):
    """An option without saying whether it is right."""

    id: Id
    text: str


class ShownQuestion(TypedDict):
    """A question without its answers."""

    id: Id
    text: str
    video_id: Id | None
    at_seconds: float | None
    allow_multiple: bool
    options: list[ShownOption]


class ShownScenario(TypedDict):
    """A scenario as learners see it."""

    id: Id
    name: str
    description: str
    problem_statement: str
    objectives: list[str]
    images: list[Picture]
    videos: list[Picture]
    questions: list[ShownQuestion]
    template: ChatTemplate


class Answered(TypedDict):
    """The newest answer to a question."""

    question_id: Id
    id: Id
    option_ids: list[Id]
    is_correct: bool


class GradeBrief(TypedDict):
    """A grade in short; without scores until it is done."""

    grade_id: Id
    state: NotRequired[Literal["running", "failed", "done"]]
    score: NotRequired[float]
    total_points: NotRequired[float]
    percentage: NotRequired[float]
    passed: NotRequired[bool]


class ShownSource(TypedDict):
    """A passage that a message rests on."""

    document_id: str
    chunk_id: Id
    score: float
    excerpt: str
    document: NotRequired[str | None]


class ShownUsage(TypedDict):
    """What a reply used."""

    prompt_tokens: int
    completion_tokens: int
    cost_usd: NotRequired[float | None]
    first_token_ms: NotRequired[float | None]
    duration_ms: float
    finish_reason: str
    truncated: NotRequired[bool | None]


class Said(TypedDict):
    """A message of a chat, and its place among those with the same parent."""

    id: Id
    role: Literal["user", "assistant"]
    content: str
    parent_message_id: Id | None
    created_at: Time | None
    state: MessageState
    usage: NotRequired[ShownUsage]
    sources: NotRequired[list[ShownSource]]
    sibling_index: int
    sibling_count: int


class Saying(TypedDict):
    """What a running reply has said so far."""

    message_id: Id
    parent_message_id: Id | None
    created_at: Time
    text: str
    sources: NotRequired[list[ShownSource]]


class ChatRow(Place):
    """A chat without its messages."""

    id: Id
    chat_id: Id
    attempt_id: Id
    chat_entry_id: Id
    created_at: Time
    template: ChatTemplate
    scenario: ShownScenario
    persona: ShownPersona
    documents: list[Document]
    rubric_id: Id | None
    owner: Owner
    status: Literal["open", "closed"]
    closed_at: Time | None
    ended: bool
    timer: Timer
    responses: list[Answered]
    hints: list[JsonObject]
    grades: list[GradeBrief]


class ChatWhole(ChatRow):
    """A chat with its messages, and what a running reply has said so far."""

    messages: list[Said]
    running: Saying | None
    more_url: NotRequired[str]


MESSAGE = Row(name="MessageRow", model=Message, plus=InChat)
GRADE = Row(name="GradeRow", model=Grade, plus=InChat)
SAID = Each("part", {"messages": MESSAGE, "grades": GRADE})
