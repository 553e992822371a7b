"""Batch jobs on the wire: the job that clients send, the result of each run, the summary, and the room."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from schemas.envelope import MAX_CLIENT_EVENT_ID, ErrorCode, Id, JsonObject, ServerEvent, Time

CaseType = Literal["plugin_selector", "api_signature_selector"]
ParameterMatch = Literal["exact", "loose", "bfcl"]
SelectorProvider = Literal["OpenAI", "Imprompt", "Langchain"]
Verdict = Literal["Passed", "Failed", "Error"]
JobState = Literal["queued", "running", "completed", "cancelled", "failed"]
JobStatus = Literal["completed", "cancelled", "failed"]

MAX_CONCURRENCY = 256
MAX_RUNS = 1_000_000
Name = Annotated[str, Field(min_length=1, max_length=500)]
Url = Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"^(?i:https?)://[^\s]+$")]
Language = Annotated[str, Field(min_length=1, max_length=80)]
Text = Annotated[str, Field(max_length=32_000)]


def as_text(value: object) -> object:
    """Return a number as text, anything else as it is: YAML reads `version: 1` as a number."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def inner(value: object, wrapper: str) -> object:
    """Return the item of `{"test_case": {…}}` as well as of `{"test_case": null, …}`."""
    found = value.get(wrapper) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else value


def unwrapped(wrapper: str) -> BeforeValidator:
    """Return a validator that takes an item with or without its wrapper."""
    return BeforeValidator(lambda value: inner(value, wrapper))


class Given(BaseModel):
    """Base of what clients send: wrong types are refused, not coerced; unknown fields are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class BatchConfig(Given):
    """How a job is run; keys are never logged, echoed or kept longer than the job runs.

    `cache` makes equal model calls of a job once.
    """

    openplugin_api_key: SecretStr | None = None
    openai_api_key: SecretStr | None = None
    auto_translate_to_languages: list[Language] = Field(default=[], max_length=200)
    source_language: Language = "English"
    concurrency: int = Field(default=16, ge=1, le=MAX_CONCURRENCY)
    parameter_match: ParameterMatch = "exact"
    allow_api_calls: bool = False
    cache: bool = True


class PluginRef(Given):
    """A plugin by the address of its manifest."""

    manifest_url: Url


class PluginGroup(Given):
    """Plugins among which a model chooses."""

    name: Name
    plugins: list[Annotated[PluginRef, unwrapped("plugin")]] = Field(min_length=1, max_length=500)


class Llm(Given):
    """A model and its sampling settings; `provider` names an entry of the server's table of models."""

    provider: Name
    model_name: Name
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    max_tokens: int | None = Field(default=None, ge=1, le=10_000_000)
    top_p: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2, allow_inf_nan=False)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2, allow_inf_nan=False)
    n: int | None = Field(default=None, ge=1, le=128)
    best_of: int | None = Field(default=None, ge=1, le=128)
    max_retries: int | None = Field(default=None, ge=0, le=20)


class ToolSelector(Given):
    """The way in which a model is asked to choose, and the group that it chooses from."""

    provider: SelectorProvider
    pipeline_name: Name
    plugin_group_name: Name


class Permutation(Given):
    """One model with one way of asking it."""

    name: Name
    llm: Llm
    tool_selector: ToolSelector

    @property
    def summary(self) -> str:
        """Return the permutation in a line: `OpenAIChat[gpt-4o] - Imprompt[default]`."""
        selector = self.tool_selector
        return f"{self.llm.provider}[{self.llm.model_name}] - {selector.provider}[{selector.pipeline_name}]"


class TestCase(Given):
    """A prompt and what a model should choose for it; null or "None" expects that nothing is chosen.

    `plugin_group_name` and `test_plugin` stand in for the permutation's group and the job's plugin.
    """

    __test__: ClassVar[bool] = False

    name: Name
    type: CaseType
    prompt: Annotated[str, Field(min_length=1, max_length=32_000)]
    expected_plugin_used: str | None = Field(default=None, max_length=2_000)
    expected_api_used: str | None = Field(default=None, max_length=4_000)
    expected_method: str | None = Field(default=None, max_length=20)
    expected_parameters: JsonObject | None = None
    plugin_group_name: Name | None = None
    test_plugin: PluginRef | None = None


class BatchRequest(Given):
    """A job: every test case is run with every permutation in every language.

    `client_event_id` is an extra: who starts a job again with the same one is answered the job that there is.
    """

    version: Annotated[str, BeforeValidator(as_text)] = Field(default="", max_length=200)
    name: Name
    config: BatchConfig = BatchConfig()
    test_plugin: PluginRef
    plugin_groups: list[Annotated[PluginGroup, unwrapped("plugin_group")]] = Field(
        min_length=1, max_length=20_000
    )
    permutations: list[Annotated[Permutation, unwrapped("permutation")]] = Field(
        min_length=1, max_length=1_000
    )
    test_cases: list[Annotated[TestCase, unwrapped("test_case")]] = Field(min_length=1, max_length=200_000)
    client_event_id: str | None = Field(default=None, min_length=1, max_length=MAX_CLIENT_EVENT_ID)

    @property
    def languages(self) -> list[str | None]:
        """Return the languages of the runs, each once; None stands for the prompt as it is written."""
        return list(dict.fromkeys(self.config.auto_translate_to_languages)) or [None]

    @property
    def total_runs(self) -> int:
        """Return how many runs the job has."""
        return len(self.permutations) * len(self.test_cases) * len(self.languages)

    def run_at(self, number: int) -> tuple[int, int, int]:
        """Return the places of a run's permutation, test case and language."""
        rest, language = divmod(number, len(self.languages))
        return *divmod(rest, len(self.test_cases)), language


class DetectedOperation(BaseModel):
    """An operation that a model chose, with the parameters that it gave; plugin is None for none of ours."""

    plugin_name: str | None
    plugin_operation: str
    method: str | None
    parameters: JsonObject


class RunError(BaseModel):
    """Why a run did not come to its end."""

    code: ErrorCode
    message: str


class BatchResult(BaseModel):
    """What a run came to: the first 19 fields are the contract's, in its order; the others are extras.

    A field that is added has a default: results of older servers are read back. `answered_by` is the model
    that answered the selection's calls, None when it made none; the embedded model answers for every name.
    """

    permutation_name: str
    permutation_summary: str
    test_type: CaseType
    test_case_name: str
    is_run_completed: bool
    language: str
    prompt: str
    final_output: str | None
    match_score: float
    is_plugin_detected: bool
    is_plugin_operation_found: bool
    is_plugin_parameter_mapped: bool
    plugin_name: str | None
    plugin_operation: str | None
    plugin_parameters_mapped: JsonObject | None
    parameter_mapped_percentage: float
    response_time_sec: float
    total_llm_tokens_used: int
    llm_api_cost: float
    job_id: Id
    index: int
    source_prompt: str = ""
    is_method_matched: bool = False
    detected: list[DetectedOperation] = []
    verdict: Verdict
    error: RunError | None = None
    ignored: list[str] = []
    cached_calls: int = 0
    answered_by: str | None = None


class PartSummary(BaseModel):
    """Figures of some runs of a job, those of one permutation, language or test case.

    The mean time is that of runs that were completed. `runs_with_parameters` are those that ask for
    parameters, the only ones that step c can count.
    """

    name: str
    total: int
    passed: int
    failed: int
    errors: int
    accuracy: float
    accuracy_step_a: int
    accuracy_step_b: int
    accuracy_step_c: int
    average_match_score: float
    average_response_time_sec: float
    total_llm_tokens_used: int
    total_llm_api_cost: float
    runs_with_parameters: int = 0


class JobFigures(BaseModel):
    """Figures of a whole job; accuracy in percent, times in seconds, cost in USD.

    Cases are runs that have a result. The steps count runs whose plugin was detected (a), whose operation was
    found (b), and whose parameters were mapped (c), of the `runs_with_parameters` that ask for them. The mean
    time is that of runs that were completed.
    """

    total_test_cases: int
    failed_cases: int
    language: str
    overall_accuracy: float
    accuracy_step_a: int
    accuracy_step_b: int
    accuracy_step_c: int
    total_run_time: float
    average_response_time_sec: float
    total_llm_tokens_used: int
    average_llm_tokens_used: float
    total_llm_api_cost: float
    cached_calls: int = 0
    runs_with_parameters: int = 0


class JobSummary(BaseModel):
    """The last message of a job; of lists with more than 1,000 items only their number is given.

    `details` are the results; of those with more than 4 MB in all only the number is given too.
    """

    status: JobStatus
    job_name: str
    job_id: Id
    started_on: Time | None
    completed_on: Time
    test_plugin: str
    permutations: list[dict[str, Any]]
    summary: JobFigures
    summary_by_permutation: list[PartSummary]
    summary_by_language: list[PartSummary]
    summary_by_test_case: list[PartSummary] | int
    details: list[BatchResult] | int
    error: RunError | None = None


class JobView(BaseModel):
    """A job as lists show it; `results` counts those that are stored."""

    job_id: Id
    name: str
    version: str
    status: JobState
    created_at: Time
    started_on: Time | None
    completed_on: Time | None
    total_runs: int
    results: int
    passed: int
    failed: int
    errors: int
    cancelling: bool
    room: str


class BatchStarted(ServerEvent):
    """Tells followers of a job's room that its runs begin, or go on in another process."""

    event: ClassVar[str] = "batch_started"

    job_id: Id
    name: str
    total_runs: int
    results: int
    permutations: list[str]
    languages: list[str]
    started_on: Time


class BatchResultStored(ServerEvent):
    """Tells followers of a job's room what a run came to; the whole result is read over REST."""

    event: ClassVar[str] = "batch_result"

    job_id: Id
    index: int
    permutation_name: str
    test_case_name: str
    language: str
    verdict: Verdict
    match_score: float
    response_time_sec: float
    total_llm_tokens_used: int
    llm_api_cost: float
    code: ErrorCode | None = None


class BatchEnded(ServerEvent):
    """Tells followers of a job's room that it has ended; nothing follows."""

    event: ClassVar[str] = "batch_ended"

    job_id: Id
    status: JobStatus
    total_runs: int
    results: int
    overall_accuracy: float
    total_llm_tokens_used: int
    total_llm_api_cost: float
    code: ErrorCode | None = None
