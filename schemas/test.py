"""Tests: replays of recorded runs against agent configurations."""

from typing import ClassVar, Literal

from pydantic import BaseModel, Field

from schemas.content import Agent, RecordedRun, ReplayMode, Rubric, ToolCall
from schemas.envelope import Change, ErrorCode, Id, Payload, ServerEvent, Time, Usage
from schemas.grade import Grade
from schemas.playground import Source
from schemas.stored import Owner

TestErrorType = Literal[
    "auth", "validation", "context", "prepare", "run", "proceed", "end", "stop", "internal"
]
TestProgressType = Literal["user_turn", "assistant_delta", "assistant_turn", "tool_call", "judge", "sources"]

# --- client events -----------------------------------------------------------------------------------------


class TestStart(Change):
    """Create a test of a benchmark."""

    event: ClassVar[str] = "test_start"

    benchmark_id: Id
    infinite_mode: bool = False


class TestNext(Change):
    """Claim the next pending run of a test."""

    event: ClassVar[str] = "test_next"

    test_id: Id


class TestRun(Change):
    """Replay one recorded run."""

    event: ClassVar[str] = "test_run"

    test_id: Id
    test_invocation_id: Id
    run_id: Id
    claim: str | None = Field(default=None, max_length=200)


class TestEnd(Change):
    """End a replay and grade it."""

    event: ClassVar[str] = "test_end"

    test_id: Id
    test_invocation_id: Id
    run_id: Id
    grade: bool = True


class TestJoin(Payload):
    """Follow an invocation from an offset, or from a snapshot."""

    event: ClassVar[str] = "test_join"

    invocation_id: Id
    after: int | None = None
    epoch: str | None = Field(default=None, max_length=64)


class TestLeave(Payload):
    """Stop following an invocation."""

    event: ClassVar[str] = "test_leave"

    invocation_id: Id


class TestStop(Change):
    """Cancel the running replays of an invocation."""

    event: ClassVar[str] = "test_stop"

    invocation_id: Id


class TestGroup(Change):
    """Replay all pending runs of an invocation, in parallel up to the benchmark's concurrency."""

    event: ClassVar[str] = "test_group"

    test_id: Id
    test_invocation_id: Id
    prev_run_id: Id | None = None


class TestEndAll(Change):
    """End a test: what is not graded yet is graded, what is pending is left."""

    event: ClassVar[str] = "test_end_all"

    test_id: Id


# --- server events -----------------------------------------------------------------------------------------


class TestStarted(ServerEvent):
    """A test exists."""

    event: ClassVar[str] = "test_started"

    test_id: Id


class TestJoined(ServerEvent):
    """Everything up to the join's offset has been sent."""

    event: ClassVar[str] = "test_joined"

    invocation_id: Id
    success: bool = True


class TestRunStart(ServerEvent):
    """A replay begins; current_run counts from 1."""

    event: ClassVar[str] = "test_run_start"

    invocation_id: Id
    run_id: Id
    original_run_resource_id: Id | None = None
    current_run: int
    total_runs: int
    created_at: Time


class TestRunComplete(ServerEvent):
    """A replay is stored."""

    event: ClassVar[str] = "test_run_complete"

    invocation_id: Id
    run_id: Id
    original_run_resource_id: Id | None = None
    tool_calls: int | None = None
    current_run: int
    total_runs: int
    remaining_runs: int


class TestProgress(ServerEvent):
    """A step of a replay; message is text, for tool_call, judge and sources JSON."""

    event: ClassVar[str] = "test_progress"

    invocation_id: Id
    type: TestProgressType
    run_id: Id | None = None
    current_run: int | None = None
    total_runs: int | None = None
    message: str | None = None


class TestGraded(ServerEvent):
    """A replay's grade is stored."""

    event: ClassVar[str] = "test_graded"

    invocation_id: Id
    grade_id: Id | None = None
    score: float | None = None
    passed: bool | None = None
    feedback: str | None = None
    run_id: Id | None = None


class TestError(ServerEvent):
    """Something failed in a test."""

    event: ClassVar[str] = "test_error"

    invocation_id: Id | None = None
    run_id: Id | None = None
    message: str
    error_type: TestErrorType | None = None
    code: str


class TestStopped(ServerEvent):
    """Replays were stopped, `run_ids`, or there was none to stop."""

    event: ClassVar[str] = "test_stopped"

    invocation_id: Id
    success: bool = True
    message: str | None = None
    run_ids: list[Id] | None = None


class TestAllComplete(ServerEvent):
    """All runs of an invocation's cycle have been replayed."""

    event: ClassVar[str] = "test_all_complete"

    invocation_id: Id
    total_runs: int
    success: bool
    cycle: int


# --- stored documents --------------------------------------------------------------------------------------

RunState = Literal["pending", "queued", "running", "done", "failed"]


class TestedBenchmark(BaseModel):
    """A benchmark as it was when a test began; its runs are the test's recordings."""

    __test__: ClassVar[bool] = False

    id: Id
    name: str
    description: str = ""
    agent_ids: list[Id]
    rubric_id: Id | None = None
    mode: ReplayMode
    concurrency: int


class Test(BaseModel):
    """One go of a benchmark, copied as it was when the test began."""

    __test__: ClassVar[bool] = False

    id: Id
    owner: Owner
    org: str
    benchmark: TestedBenchmark
    infinite_mode: bool = False
    status: Literal["open", "ending", "ended"] = "open"
    ended_by: Id | None = None  # the request
    invocation_ids: list[Id]
    created_at: Time
    ended_at: Time | None = None


class Stopping(BaseModel):
    """A stop that is being carried out: `runs` maps the runs to stop to their replays.

    `by` are the requests that let them go: a run keeps it when another process takes it over under a new
    replay, and gets another one when it is let go again.
    """

    id: Id
    runs: dict[Id, Id]
    by: list[Id | None] = []


class Invocation(BaseModel):
    """A test's runs against one agent; every change is a compare-and-set on `rev`.

    `counted` is the number of runs of this cycle whose end is announced, `failed` that of those that failed;
    `counting` are the replays that were counted last, which may not know it yet. `active` are the runs that
    the group has let go and that have not ended.
    """

    id: Id
    test_id: Id
    owner: Owner
    org: str
    agent: Agent
    mode: ReplayMode
    concurrency: int
    total_runs: int
    position: int
    infinite_mode: bool = False
    group: bool = False  # all pending replays run by themselves, up to `concurrency` at a time
    active: list[Id] = []
    cycle: int = 1
    counted: int = 0
    failed: int = 0
    counting: list[Id] = []
    stopping: Stopping | None = None
    closed: bool = False  # the test ends: no replay begins any more
    rev: int = 0
    created_at: Time


class ReplayedMessage(BaseModel):
    """One message of a replay; `recorded` is what was said at this place in the recording.

    `sources` is what an answer of an agent with a pipeline rests on.
    """

    id: Id
    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: list[ToolCall] = []
    tool_call_id: str | None = None
    matched: bool | None = None  # of a tool's result: the recording had this call
    recorded: str | None = None
    usage: Usage | None = None
    sources: list[Source] | None = None


class RunResult(BaseModel):
    """What a replay came to; times in ms."""

    messages: list[ReplayedMessage]
    tool_calls: int = 0
    matched_calls: int = 0
    recorded_calls: int = 0
    first_token_ms: float | None = None
    duration_ms: float = 0.0
    usage: Usage
    error: str | None = None
    code: ErrorCode | None = None
    finished_at: Time


class Grading(BaseModel):
    """A grade that is being made, and by which process; nobody is at it yet without an owner."""

    grade_id: Id
    owner: str | None = None
    fence: int = 0


class Run(BaseModel):
    """A recorded run's place in an invocation and cycle: the ledger of its replay.

    `id` follows from invocation, cycle and original; `replay_id` is the wire's run_id and changes with each
    fence. Whoever writes names the fence, so that a process that wakes late changes nothing.
    """

    id: Id
    test_id: Id
    invocation_id: Id
    org: str
    owner_profile: Owner
    original_id: Id
    name: str
    position: int  # from 1
    cycle: int = 1
    state: RunState = "pending"
    fence: int = 0
    owner: str | None = None  # the process that runs it
    stop: bool = False
    grouped: bool = False  # let go by the group, not by a request
    by: Id | None = None  # the request that let it go
    claim: str | None = None
    claimed_until: Time | None = None
    replay_id: Id | None = None
    started_at: Time | None = None
    result: RunResult | None = None
    counted: bool = False  # its end is announced
    ended: bool = False  # by test_end
    grades: list[Grade] = []
    grading: Grading | None = None
    created_at: Time


class Recording(BaseModel):
    """A recorded run as a test uses it, with the rubric that its replays are graded by."""

    id: Id
    test_id: Id
    original_id: Id
    run: RecordedRun
    rubric: Rubric | None = None
