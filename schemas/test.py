"""Tests: replays of recorded runs against agent configurations."""

from typing import ClassVar, Literal

from pydantic import Field

from schemas.envelope import Change, Id, Payload, ServerEvent, Time

TestErrorType = Literal[
    "auth", "validation", "context", "prepare", "run", "proceed", "end", "stop", "internal"
]
TestProgressType = Literal["user_turn", "assistant_delta", "assistant_turn", "tool_call", "judge"]

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
    """A step of a replay; message is text, for tool_call JSON."""

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
    """Replays were stopped, or there was none to stop."""

    event: ClassVar[str] = "test_stopped"

    invocation_id: Id
    success: bool = True
    message: str | None = None
