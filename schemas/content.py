"""Authored content: personas, rubrics, documents, scenarios, practices and homes."""

from datetime import UTC, datetime
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from schemas.envelope import Id, JsonObject, Time, iso
from schemas.storable import check_storable

ContentKind = Literal[
    "parameter", "persona", "rubric", "document", "agent", "scenario", "practice", "home", "benchmark"
]
CONTENT_KINDS: tuple[ContentKind, ...] = get_args(ContentKind)
GENERATE_FLAGS = (
    "names",
    "descriptions",
    "problem_statements",
    "objectives",
    "personas",
    "documents",
    "images",
    "videos",
    "questions",
    "options",
    "parameter_fields",
)
Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=32_000)]
Points = Annotated[float, Field(ge=0, le=10_000)]


def _moment(value: str) -> str:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("this should be a time such as 2026-09-01T08:00:00Z") from None
    return iso(found if found.tzinfo else found.replace(tzinfo=UTC))


# A time as authors write it, kept as ISO 8601 UTC, so that texts compare as times do.
Moment = Annotated[str, Field(max_length=40), AfterValidator(_moment)]


class Part(BaseModel):
    """Base of everything authored: strict, and unknown fields are an error, so that typing mistakes show."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Content(Part):
    """Base of a stored document of authored content."""

    id: Id
    name: Name
    description: Text = ""


class ParameterField(Part):
    """One value of a parameter, such as a hurried customer; the persona is told what it means."""

    id: Id
    name: Name
    description: Text = ""


class Parameter(Content):
    """Something in which personas and scenarios differ, and the values that it may have."""

    several: bool = False  # more than one of the values may hold at once
    fields: Annotated[list[ParameterField], Field(min_length=1, max_length=50)]


class Persona(Content):
    """Somebody to practise with; `instructions` are the system prompt and never reach learners."""

    instructions: Annotated[str, Field(min_length=1, max_length=32_000)]
    color: str | None = Field(default=None, pattern=r"^#[0-9a-fA-F]{6}$")
    icon: str | None = Field(default=None, max_length=40)
    voice: str | None = Field(default=None, max_length=80)
    model: str | None = Field(default=None, max_length=200)
    temperature: float | None = Field(default=None, ge=0, le=2)
    examples: list[Text] = []
    speaks_first: bool = False  # begins the conversation in every scenario
    pipeline_id: Id | None = None  # that replies rest on; learners are shown the sources
    parameter_fields: Annotated[list[ParameterField], Field(max_length=50)] = []


class Standard(Part):
    """One level of a standard group."""

    id: Id
    name: str = Field(default="", max_length=200)
    level: int = Field(ge=0, le=100)
    points: Points
    description: Annotated[str, Field(min_length=1, max_length=4_000)]


class StandardGroup(Part):
    """One criterion of a rubric with its levels."""

    id: Id
    name: Name
    description: Text = ""
    points: Points
    pass_points: Points
    standards: Annotated[list[Standard], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def _consistent(self) -> "StandardGroup":
        problems: list[str] = []
        if self.pass_points > self.points:
            problems.append("pass_points is above points")
        if any(s.points > self.points for s in self.standards):
            problems.append("a standard has more points than its group")
        if len({s.level for s in self.standards}) != len(self.standards):
            problems.append("two standards have the same level")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Rubric(Content):
    """What a conversation is judged by; `judges` independent judgements are made and the median counts."""

    points: Points
    pass_points: Points
    judges: int = Field(default=1, ge=1, le=9)
    groups: Annotated[list[StandardGroup], Field(min_length=1, max_length=30)]

    @model_validator(mode="after")
    def _consistent(self) -> "Rubric":
        problems: list[str] = []
        if self.pass_points > self.points:
            problems.append("pass_points is above points")
        total = sum(g.points for g in self.groups)
        if abs(total - self.points) > 1e-9:
            problems.append(f"points is {self.points:g}, its groups add up to {total:g}")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Media(Part):
    """An image or a video by its address; `text` describes it for those who cannot see it."""

    id: Id
    name: Name
    url: Annotated[str, Field(max_length=2_000, pattern=r"^(https?://|/)")]
    text: Text = ""


class DocumentField(Part):
    """A named value of a document, such as its date or its number."""

    name: Name
    value: Text


class Document(Content):
    """A text that a learner may read, and that the persona knows unless it is the learner's own paper."""

    text: Text = ""
    fields: Annotated[list[DocumentField], Field(max_length=100)] = []
    images: list[Media] = []
    known_to_persona: bool = True


class Option(Part):
    """One answer of a question; learners never receive is_correct."""

    id: Id
    text: Annotated[str, Field(min_length=1, max_length=2_000)]
    is_correct: bool = False


class Question(Part):
    """A question shown during a chat, at `at_seconds` of a video when it belongs to one."""

    id: Id
    text: Annotated[str, Field(min_length=1, max_length=4_000)]
    video_id: Id | None = None
    at_seconds: float | None = Field(default=None, ge=0)
    allow_multiple: bool = False
    options: Annotated[list[Option], Field(min_length=2, max_length=20)]

    @model_validator(mode="after")
    def _consistent(self) -> "Question":
        right = sum(o.is_correct for o in self.options)
        if right == 0:
            raise ValueError("no option is correct")
        if right > 1 and not self.allow_multiple:
            raise ValueError("several options are correct but allow_multiple is false")
        return self


class ChatTemplate(Part):
    """The settings that a scenario gives to its chats; time_limit in seconds."""

    position: int = Field(default=0, ge=0, le=100_000)
    time_limit: float | None = Field(default=None, gt=0, le=86_400)
    negative_time: bool = False
    text_enabled: bool = True
    audio_enabled: bool = True
    copy_paste_allowed: bool = True
    show_images: bool = True
    show_objectives: bool = True
    show_problem_statement: bool = True
    problem_statement_enabled: bool = True
    objectives_enabled: bool = True
    analyses_enabled: bool = True
    improvements_enabled: bool = True
    replacements_enabled: bool = True
    strengths_enabled: bool = True
    hints_enabled: bool = False
    video_enabled: bool = False
    images_enabled: bool = False
    questions_enabled: bool = False
    use_custom: bool = False
    use_previous: bool = False
    generate_names: bool = False
    generate_descriptions: bool = False
    generate_problem_statements: bool = False
    generate_objectives: bool = False
    generate_personas: bool = False
    generate_documents: bool = False
    generate_images: bool = False
    generate_videos: bool = False
    generate_questions: bool = False
    generate_options: bool = False
    generate_parameter_fields: bool = False


ChatFlag = Literal[
    "negative_time",
    "text_enabled",
    "audio_enabled",
    "copy_paste_allowed",
    "show_images",
    "show_objectives",
    "show_problem_statement",
    "problem_statement_enabled",
    "objectives_enabled",
    "analyses_enabled",
    "improvements_enabled",
    "replacements_enabled",
    "strengths_enabled",
    "hints_enabled",
    "video_enabled",
    "images_enabled",
    "questions_enabled",
    "use_custom",
    "use_previous",
]


class Scenario(Content):
    """A situation to practise: a persona, what the learner is told, and what is judged."""

    problem_statement: Text = ""
    objectives: list[Annotated[str, Field(min_length=1, max_length=2_000)]] = []
    situation: Text = ""  # told to the persona only
    persona_id: Id
    rubric_id: Id | None = None
    document_ids: list[Id] = []
    persona_speaks_first: bool = False
    opening_line: Text = ""  # said word for word when given; else the model opens
    hint_guidance: Text = ""
    images: list[Media] = []
    videos: list[Media] = []
    questions: list[Question] = []
    parameter_fields: Annotated[list[ParameterField], Field(max_length=50)] = []
    template: ChatTemplate = ChatTemplate()


class ScenarioRef(Part):
    """A scenario's place in a practice or home; what is given here overrides the scenario."""

    scenario_id: Id
    position: int | None = Field(default=None, ge=0, le=100_000)
    rubric_id: Id | None = None
    time_limit: float | None = Field(default=None, gt=0, le=86_400)
    flags: dict[ChatFlag, bool] = {}
    available_from: Moment | None = None
    available_until: Moment | None = None


class Practice(Content):
    """Scenarios that anybody of the organisation may practise."""

    scenarios: Annotated[list[ScenarioRef], Field(min_length=1, max_length=200)]


class ProfilePersona(Part):
    """The persona with whom a profile practises, whatever the scenario says."""

    profile_id: Id
    persona_id: Id


class Home(Practice):
    """Scenarios assigned to profiles, or to everyone."""

    profiles: list[Id] | Literal["everyone"]
    profile_personas: Annotated[list[ProfilePersona], Field(max_length=1_000)] = []


class Tool(Part):
    """A function that a model may call; `parameters` is the JSON schema of its arguments."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
    description: Text = ""
    parameters: Annotated[JsonObject, AfterValidator(check_storable)] = {"type": "object", "properties": {}}


class Agent(Content):
    """A configuration of a model that recorded conversations are replayed against."""

    instructions: Text = ""
    model: str | None = Field(default=None, max_length=200)
    temperature: float | None = Field(default=None, ge=0, le=2)
    reasoning: Literal["low", "medium", "high"] | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] = []
    voice: str | None = Field(default=None, max_length=80)
    pipeline_id: Id | None = None  # that answers rest on


class ToolCall(Part):
    """A call of a tool; `arguments` is the JSON text that the model wrote."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    arguments: Text = "{}"


class RecordedMessage(Part):
    """One message of a recorded conversation, `at_ms` after its start; a tool's result names its call."""

    role: Literal["system", "user", "assistant", "tool"]
    content: Text = ""
    tool_calls: list[ToolCall] = []
    tool_call_id: str | None = Field(default=None, max_length=200)
    at_ms: float | None = Field(default=None, ge=0)


class RecordedRun(Part):
    """A recorded conversation; `rubric_id` overrides the benchmark's."""

    id: Id
    name: Name
    rubric_id: Id | None = None
    messages: Annotated[list[RecordedMessage], Field(min_length=1, max_length=400)]

    @model_validator(mode="after")
    def _replayable(self) -> "RecordedRun":
        if all(m.role != "user" for m in self.messages):
            raise ValueError("no message is the user's, so there is nothing to replay")
        return self


ReplayMode = Literal["auto_regressive", "last_turn"]


class Benchmark(Content):
    """Recorded runs that are replayed against agents; `concurrency` replays of a group run at once."""

    agent_ids: Annotated[list[Id], Field(min_length=1, max_length=50)]
    rubric_id: Id | None = None
    mode: ReplayMode = "auto_regressive"
    concurrency: int = Field(default=4, ge=1, le=64)
    runs: Annotated[list[RecordedRun], Field(min_length=1, max_length=2_000)]


AnyContent = Parameter | Persona | Rubric | Document | Agent | Scenario | Practice | Home | Benchmark
CONTENT_MODELS: dict[ContentKind, type[AnyContent]] = {
    "parameter": Parameter,
    "persona": Persona,
    "rubric": Rubric,
    "document": Document,
    "agent": Agent,
    "scenario": Scenario,
    "practice": Practice,
    "home": Home,
    "benchmark": Benchmark,
}


class StoredContent(BaseModel):
    """A document of the content store: authored content with its owner and times."""

    id: Id
    kind: ContentKind
    org: str
    name: str
    created_at: Time
    updated_at: Time
    version: int = 1
    body: dict[str, object]
