"""Evaluators: results and their runs as they are stored, and the entries of a result's room."""

from typing import ClassVar, Literal

from pydantic import BaseModel

from schemas.envelope import JsonObject, ServerEvent, Time, Usage
from schemas.evaluator import (
    AiAgent,
    EvalType,
    EvaluatorScenario,
    Metric,
    MetricType,
    Number,
    Personality,
    TestProfile,
)
from schemas.stored import Owner, Recording

RunStatus = Literal["running", "in_progress", "pending", "completed", "failed", "cancelled", "timeout"]
ResultStatus = Literal["running", "in_progress", "pending", "completed", "failed", "cancelled"]
Speaker = Literal["Testing Agent", "Main Agent", "Function Call", "Function Call Result"]
EndedReason = Literal[
    "Testing agent-ended-call",
    "Main agent-ended-call",
    "Main agent-silence-timed-out",
    "exceeded-max-duration",
    "exceeded-max-turns",
    "run-cancelled-by-user",
    "Main agent-call-not-connected",
    "Testing agent-failed",
]
TalkStatus = Literal["completed", "failed", "cancelled", "timeout"]
JUDGED: frozenset[RunStatus] = frozenset({"completed", "timeout"})  # what is said in others is not judged
RunState = Literal["queued", "talking", "judging", "ended"]
ResultState = Literal["queued", "running", "ended", "deleted"]


class TranscriptItem(BaseModel):
    """Something said or called; times in seconds since the connection, `time` as MM:SS."""

    role: Speaker
    content: str
    start_time: float
    end_time: float
    time: str
    data: JsonObject | None = None


class CallFigures(BaseModel):
    """What the sound of a call by voice says; seconds. `latencies` are the caller's waits for answers."""

    caller_seconds: float
    agent_seconds: float
    latencies: list[float]
    overlap_seconds: float
    interruptions: int


class Talked(BaseModel):
    """What a conversation came to; `duration` in seconds.

    `failed` says that the connection or the call broke: before the agent said anything, or on our side.
    `timeout` that the time was up: all of it, or that of the agent's silence. All others are `completed`.
    `ignored` holds the beginnings of the first frames that said nothing, such as an error in plain text.
    `recording` is how a call by voice sounded: the caller on the left, the agent on the right. `figures` were
    computed from that.
    """

    status: TalkStatus
    ended_reason: EndedReason
    error_message: str | None = None
    transcript: list[TranscriptItem] = []
    metadata: JsonObject = {}
    duration: float = 0.0
    ignored_frames: int = 0
    ignored: list[str] = []
    usage: Usage = Usage()
    recording: Recording | None = None
    figures: CallFigures | None = None


class Outcome(BaseModel):
    """One expected outcome, whether it came about, and why the judge thinks so."""

    outcome: str
    met: bool
    explanation: str


class ExpectedOutcome(BaseModel):
    """The judge's word on what should have come of a run: 0 to 100."""

    score: float
    passed: bool
    pass_score: float
    outcomes: list[Outcome]


class MetricValue(BaseModel):
    """What a metric came to; `passed` is None without a rule, `error` says why there is no value."""

    id: Number | None = None
    name: str
    type: MetricType
    eval_type: EvalType
    value: bool | float | str | None = None
    explanation: str = ""
    passed: bool | None = None
    error: str | None = None


class Judgement(BaseModel):
    """What is thought of a run; `success` is None when it could not be judged, `error` says why.

    `simulator_error` says what the caller, not the agent, did wrong.
    """

    success: bool | None
    expected_outcome: ExpectedOutcome | None = None
    metrics: list[MetricValue] = []
    simulator_error: str | None = None
    error: str | None = None
    model: str | None = None
    reliable: bool = True
    usage: Usage = Usage()


class NumberedMetric(BaseModel):
    """A metric with its id."""

    id: Number | None = None
    metric: Metric


class Setup(BaseModel):
    """All that a run needs, as it was when its result was started."""

    agent_id: Number
    agent: AiAgent
    scenario_id: Number
    scenario: EvaluatorScenario
    personality: Personality | None = None
    profile: TestProfile | None = None
    metrics: list[NumberedMetric] = []


class RunPlan(BaseModel):
    """One run of a result: which scenario, personality and test profile, and its number when repeated."""

    scenario: Number
    personality: Number | None = None
    test_profile: Number | None = None
    number: int | None = None


class EvaluatorResult(BaseModel):
    """A result: its runs have the ids from `first_run` on, in the order of `plans`.

    `process` works on it under `fence`. What it was made of lies beside it, frozen; `setup` is the version of
    that, which changes when its runs are judged by other metrics. `freq` counts how often a scenario is
    repeated, `ends` how often the result has ended: again after its runs were judged anew. Its webhook is
    tried at `webhook_at` until it was answered, or given up.
    """

    id: Number
    org: str
    owner: Owner
    name: str
    agent: Number
    run_as_text: bool
    first_run: Number
    plans: list[RunPlan]
    freq: int = 1
    concurrency_limit: int | None = None
    state: ResultState = "queued"
    status: ResultStatus = "running"
    process: str | None = None
    fence: int = 0
    cancel: bool = False
    setup: int = 1
    ends: int = 0
    tries: int = 0
    webhook_at: Time | None = None
    created_at: Time
    started_at: Time | None = None
    ended_at: Time | None = None
    idempotency_key: str | None = None
    digest: str | None = None


class EvaluatorRun(BaseModel):
    """A run of a result: how often it was begun (`attempt`), its conversation, and what was thought of it.

    `judged` names the result's end for which that was last asked, `success` is the last judgement's. What
    lists show of `talked` and `judgement` stands beside them, and in `size` how many bytes both take.
    """

    id: Number
    org: str
    result: Number
    agent: Number
    plan: RunPlan
    scenario_name: str = ""
    state: RunState = "queued"
    status: RunStatus = "running"
    attempt: int = 0
    fence: int = 0
    cancel: bool = False
    created_at: Time
    started_at: Time | None = None
    ended_at: Time | None = None
    judged: int = 0
    success: bool | None = None
    simulator_error: bool = False
    ended_reason: EndedReason | None = None
    duration: float | None = None
    error_message: str | None = None
    size: int = 0
    talked: Talked | None = None
    judgement: Judgement | None = None


# --- the room result_{id} ---------------------------------------------------------------------------------


class ResultStarted(ServerEvent):
    """Tells that a result's runs begin, or go on in another process."""

    event: ClassVar[str] = "result_started"

    result_id: Number
    name: str
    agent: Number
    total_runs: int
    run_as_text: bool
    started_at: Time


class RunStarted(ServerEvent):
    """Tells that a run's agent is called; with a higher `attempt` it begins anew, what was said is void."""

    event: ClassVar[str] = "run_started"

    result_id: Number
    run_id: Number
    scenario: Number
    scenario_name: str
    number: int | None = None
    attempt: int


class RunTurn(ServerEvent):
    """Tells what was said or called in a run; `index` counts the items of its transcript from 0."""

    event: ClassVar[str] = "run_turn"

    result_id: Number
    run_id: Number
    attempt: int
    index: int
    role: Speaker
    content: str
    start_time: float
    end_time: float
    data: JsonObject | None = None


class RunAudio(ServerEvent):
    """Lets members that joined with `audio: true` hear a call. Live only: it has no offset.

    `audio` is PCM16 LE, stereo, 16 kHz: our caller on the left, the agent on the right, as in recordings.
    """

    event: ClassVar[str] = "run_audio"

    result_id: Number
    run_id: Number
    audio: bytes


class RunEnded(ServerEvent):
    """Tells how a run ended; again after it was judged anew (`judged` counts from 1)."""

    event: ClassVar[str] = "run_ended"

    result_id: Number
    run_id: Number
    scenario: Number
    status: RunStatus
    success: bool | None = None
    ended_reason: EndedReason | None = None
    expected_outcome: float | None = None
    simulator_error: str | None = None
    error_message: str | None = None
    duration: float
    judged: int = 1


class ResultEnded(ServerEvent):
    """Tells what a result came to; rates in percent, pass_hat_k by k from 1 to freq."""

    event: ClassVar[str] = "result_ended"

    result_id: Number
    status: ResultStatus
    success_rate: float
    total_runs: int
    completed_runs: int
    success_runs: int
    failed_runs: int
    simulator_errors: int
    pass_hat_k: list[float] | None = None
