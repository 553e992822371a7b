"""Evaluators: the agents, scenarios, personalities, metrics and test profiles that authors keep."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from schemas.envelope import JsonObject, Time
from schemas.storable import check_name, check_storable

ResourceKind = Literal["aiagents", "scenarios", "personalities", "metrics", "test-profiles"]
ScenarioType = Literal["instruction", "conditional_actions"]
ActionType = Literal["standard", "action_followup"]
MetricType = Literal["llm_judge", "custom_code", "built_in"]
EvalType = Literal["binary", "continuous_qualitative", "numeric", "enum"]
Operator = Literal["==", "!=", ">", ">=", "<", "<=", "in"]
VoiceTransport = Literal["raw_pcm", "twilio"]
Interruptions = Literal["none", "low", "medium", "high"]
BuiltIn = Literal[
    "latency_p50",
    "latency_p90",
    "latency_p95",
    "latency_p99",
    "turns",
    "silence",
    "repetition",
    "tool_call_success",
    "talk_ratio",
    "overlap",
    "interruptions",
    "words_per_minute",
    "appropriate_termination",
]
MAX_DURATION = 3600
Number = Annotated[int, Field(ge=1, le=2**53)]
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255, strip_whitespace=True),
    AfterValidator(check_name),
]
Text = Annotated[str, Field(max_length=32_000), AfterValidator(check_storable)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=100)]
SocketUrl = Annotated[str, Field(max_length=2_000, pattern=r"^(?i:wss?)://[^\s]+$")]
WebUrl = Annotated[str, Field(max_length=2_000, pattern=r"^(?i:https?)://[^\s]+$")]
HeaderName = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
HeaderValue = Annotated[str, Field(max_length=4_000, pattern=r"^[\t\x20-\x7e]*$")]
Headers = Annotated[dict[HeaderName, HeaderValue], Field(max_length=50)]
Free = Annotated[JsonObject, AfterValidator(check_storable)]


def _id_as_text(value: object) -> object:
    return str(value) if type(value) is int else value


class Kept(BaseModel):
    """Base of what authors keep: wrong types are refused, not coerced; unknown fields are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)
    kind: ClassVar[ResourceKind]


class AiAgent(Kept):
    """Somebody's agent: where it is called, and what it is sent; secrets are written, never read back.

    `agent_gives_first_message`: true waits for its greeting, false greets it, null waits for 3 s.
    """

    kind: ClassVar[ResourceKind] = "aiagents"

    agent_name: Name
    description: Text = ""
    inbound: bool = True
    websocket_url: SocketUrl | None = None
    websocket_headers: Headers = {}
    websocket_secret: HeaderValue | None = None
    assistant_id: (
        Annotated[str, Field(min_length=10, max_length=200), BeforeValidator(_id_as_text)] | None
    ) = None
    agent_gives_first_message: bool | None = None
    voice_transport: VoiceTransport | None = None
    voice_url: SocketUrl | None = None
    webhook_url: WebUrl | None = None
    webhook_secret: HeaderValue | None = None


class Condition(Kept):
    """What the caller does when something holds; of those that hold, the one with the lowest id counts.

    Id 0 is FIRST_MESSAGE: what the caller begins with; an empty action lets the agent begin. A condition is
    prose, or `contains "x"` joined by AND and OR. A fixed message is said as it is, its tags act. An
    action_followup is done on the turn after another condition's action: `condition` is that one's id.
    """

    id: Annotated[int, Field(ge=0, le=10_000)]
    condition: Annotated[str, Field(max_length=2_000), BeforeValidator(_id_as_text)] = ""
    action: Text = ""
    type: ActionType = "standard"
    fixed_message: bool = False


class ConditionalActions(Kept):
    """A caller who acts by rules."""

    role: Text = ""
    conditions: Annotated[list[Condition], Field(min_length=1, max_length=200)]


class EvaluatorScenario(Kept):
    """A caller's part in a conversation with an agent, and what should come of it.

    `max_duration` in seconds. `metrics`, `personality` and `test_profile` are ids.
    """

    kind: ClassVar[ResourceKind] = "scenarios"

    name: Name
    agent: Number
    personality: Number | None = None
    instructions: Text = ""
    scenario_type: ScenarioType = "instruction"
    conditional_actions: ConditionalActions | None = None
    first_message: Annotated[str, Field(max_length=4_000)] = "Hello"
    expected_outcome_prompt: Text = ""
    pass_score: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 100.0
    metrics: Annotated[list[Number], Field(max_length=100)] = []
    tags: Annotated[list[Tag], Field(max_length=100)] = []
    tool_ids: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)] = []
    test_profile: Number | None = None
    max_duration: Annotated[int, Field(ge=10, le=MAX_DURATION)] = 600
    scenario_language: Annotated[str, Field(min_length=1, max_length=80)] = "en"
    folder_path: Annotated[str, Field(max_length=1_000)] = ""


class Personality(Kept):
    """How a caller is: added to what a scenario tells it."""

    kind: ClassVar[ResourceKind] = "personalities"

    name: Name
    prompt: Text = ""
    language: Annotated[str, Field(min_length=1, max_length=80)] = "en"
    interruption_level: Interruptions = "none"


class PassRule(Kept):
    """What a metric's value must be for a run to succeed."""

    operator: Operator
    value: Any = None


class Metric(Kept):
    """One thing that is looked at in a run; without `pass` it informs only.

    `prompt` belongs to llm_judge, `code` to custom_code (an expression in CEL over `data`), `options` to the
    values of enum. A built_in metric is the one that `name` names.
    """

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, populate_by_name=True)
    kind: ClassVar[ResourceKind] = "metrics"

    name: Name
    description: Text = ""
    type: MetricType = "llm_judge"
    eval_type: EvalType = "binary"
    prompt: Text | None = None
    code: Annotated[str, Field(max_length=4_000)] | None = None
    options: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=50)] = []
    pass_: PassRule | None = Field(default=None, alias="pass")


class Variables(Kept):
    """What a caller knows, and what the agent is told; keys that begin with X- become headers."""

    main_agent_variables: Free = {}
    testing_agent_variables: Free = {}


class TestProfile(Kept):
    """Whom a caller plays: `{{test_profile.a.b}}` in texts stands for its values."""

    __test__: ClassVar[bool] = False
    kind: ClassVar[ResourceKind] = "test-profiles"

    name: Name
    information: Variables = Variables()


AnyResource = AiAgent | EvaluatorScenario | Personality | Metric | TestProfile
RESOURCES: dict[ResourceKind, type[AnyResource]] = {
    model.kind: model for model in (AiAgent, EvaluatorScenario, Personality, Metric, TestProfile)
}


class StoredResource(BaseModel):
    """A resource with its number and whose it is; `body` is one of RESOURCES, `version` counts changes."""

    id: Number
    kind: ResourceKind
    org: str
    body: JsonObject
    version: int = 1
    created_at: Time
    updated_at: Time
