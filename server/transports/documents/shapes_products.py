"""What HTTP answers of batch jobs, evaluators, pipelines and playgrounds where no model says it."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from schemas.batch import JobSummary, JobView
from schemas.envelope import Id, JsonObject, Usage
from schemas.evaluator import RESOURCES
from schemas.evaluator_run import ExpectedOutcome, MetricValue, RunStatus
from schemas.pipeline import DocumentView, StatusView
from schemas.playground import ChatMessage
from server.engine.evaluator.resources import SECRETS
from server.transports.documents.told import Each, Row


class JobPlus(TypedDict):
    """What a job came to, null until it has ended."""

    summary: JobSummary | None


JOB = Row(name="JobWhole", model=JobView, plus=JobPlus)


# --- evaluators ---------------------------------------------------------------------------------------------


class Kept(TypedDict):
    """What the server tells of a resource; has_… say whether a secret is set."""

    id: int
    created_at: str
    updated_at: str
    has_websocket_secret: NotRequired[bool]
    has_webhook_secret: NotRequired[bool]


RESOURCE = Each(
    "name",
    {
        kind: Row(
            name=f"{model.__name__}Row",
            model=model,
            without=tuple(sorted(SECRETS & model.model_fields.keys())),
            plus=Kept,
        )
        for kind, model in RESOURCES.items()
    },
)
RESOURCE_WRITTEN = Each("name", RESOURCES)


class BegunRun(TypedDict):
    """A run that is to be played."""

    id: int
    scenario: int
    number: int | None


class Begun(TypedDict):
    """A result that has begun."""

    id: int
    agent: int | None
    status: Literal["running"]
    success_rate: float
    run_as_text: bool
    runs: list[BegunRun]
    created_at: str


class ResultRow(TypedDict):
    """A result without its runs."""

    id: int
    name: str
    agent: int | None
    status: str
    success_rate: float
    run_as_text: bool
    freq: int
    concurrency_limit: int | None
    total_runs_count: int
    completed_runs_count: int
    success_runs_count: int
    failed_runs_count: int
    simulator_errors_count: int
    pass_hat_k: list[float] | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    room: str


class RunBrief(TypedDict):
    """A run without what was said in it."""

    id: int
    result: int
    agent: int | None
    scenario: int
    scenario_name: str
    personality: int | None
    test_profile: int | None
    number: int | None
    status: RunStatus
    success: bool | None
    has_simulator_error: bool
    attempt: int
    duration: str | None
    error_message: str | None
    created_at: str
    started_at: str | None
    ended_at: str | None


class Evaluation(TypedDict):
    """What the metrics came to."""

    metrics: list[MetricValue]


class EvaluatedRun(RunBrief):
    """A run with its transcript and what is thought of it."""

    transcript: NotRequired[str]
    transcript_object: NotRequired[list[JsonObject]]
    evaluation: NotRequired[Evaluation]
    expected_outcome: NotRequired[ExpectedOutcome | None]
    simulator_error: NotRequired[str | None]
    metadata: NotRequired[JsonObject]
    recording_url: NotRequired[str | None]
    judge_model: NotRequired[str | None]
    judge_reliable: NotRequired[bool | None]


class ResultWhole(ResultRow):
    """A result with its runs by id."""

    runs: dict[str, EvaluatedRun]
    transcripts_left_out: bool


class Tried(TypedDict):
    """Whether an agent took a connection, and why not."""

    success: bool
    message: str
    duration_ms: float


class SomeRuns(TypedDict):
    """Runs of a result."""

    run_ids: list[int]


class JudgedAgain(TypedDict):
    """Runs to be judged again; all of them, and by all metrics, where none are named."""

    run_ids: NotRequired[list[int]]
    metrics: NotRequired[list[int]]


# --- pipelines ----------------------------------------------------------------------------------------------


class DocumentPage(TypedDict):
    """Some documents, and how many there are."""

    documents: list[DocumentView]
    limit: int
    offset: int
    total_count: int


DOCUMENT_STATUS = Row(name="DocumentStatus", model=StatusView, without=("documents",))


class ChunkView(TypedDict):
    """A chunk as the node that published clients read."""

    id_: str
    embedding: None
    extra_info: JsonObject
    excluded_embed_metadata_keys: list[str]
    excluded_llm_metadata_keys: list[str]
    relationships: dict[str, JsonObject]
    text: str
    mimetype: str
    start_char_idx: int | None
    end_char_idx: int | None
    class_name: str


class ChatAnswer(TypedDict):
    """An answer of a playground chat."""

    session_id: Id
    message: ChatMessage
    usage: Usage | None
    state: str
