"""Acks of the events of tests."""

from pydantic import BaseModel

from schemas.envelope import Id, Reply


class InvocationPlace(BaseModel):
    """An invocation of a new test and how many runs it has."""

    invocation_id: Id
    total_runs: int


class TestStartReply(Reply):
    """Ack of test_start."""

    test_id: Id
    invocations: list[InvocationPlace]


class TestNextReply(Reply):
    """Ack of test_next: a claimed run, or that none is left, or when to ask again."""

    invocation_id: Id | None = None
    run_id: Id | None = None
    current_run: int | None = None
    total_runs: int | None = None
    claim: str | None = None
    done: bool | None = None
    retry_after: float | None = None


class TestRunReply(Reply):
    """Ack of test_run: the replay."""

    run_id: Id


class TestGroupReply(Reply):
    """Ack of test_group: the replays that were started."""

    run_ids: list[Id]


class TestEndReply(Reply):
    """Ack of test_end; grade_id is null when nothing is graded."""

    grade_id: Id | None


class TestEndAllReply(Reply):
    """Ack of test_end_all: the gradings that were started."""

    grade_ids: list[Id]


class TestStopReply(Reply):
    """Ack of test_stop: how many replays were cancelled."""

    stopped: int
