"""Tests, invocations and runs as they are stored, for tests of what is read from them."""

from datetime import timedelta
from typing import Any

from schemas.content import Agent, RecordedMessage, RecordedRun, ToolCall
from schemas.envelope import Usage
from schemas.grade import Grade, GroupGrade
from schemas.stored import Owner
from schemas.test import Invocation, Recording, ReplayedMessage, Run, RunResult, Test, TestedBenchmark
from server.engine.ids import derive
from server.store import Store
from server.store.aggregates import to_document
from tests.engine.grading_cases import NOW, make_rubric, uid

AUTHOR = Owner(kind="profile", id=uid("author"))
TEST = uid("test")
INVOCATION = uid("invocation")


def make_grade(*, passed: bool = True, score: float | None = None, **changes: Any) -> Grade:
    """Return a grade of a run."""
    points = score if score is not None else 6.0 if passed else 2.0
    group = make_rubric().groups[0]
    values: dict[str, Any] = {
        "grade_id": uid(f"grade-{points}"),
        "run_id": uid("replay"),
        "rubric_id": uid("rubric"),
        "score": points,
        "total_points": 8,
        "pass_points": 4,
        "percentage": points / 8 * 100,
        "passed": passed,
        "description": f"{points:g} of 8 points.",
        "time_taken": 3,
        "groups": [
            GroupGrade(
                standard_group_id=group.id,
                name=group.name,
                standard_id=group.standards[0].id,
                points=points / 2,
                total_points=4,
                pass_points=2,
                passed=passed,
                feedback="You named no date.",
            )
        ],
        "usage": Usage(prompt_tokens=50, completion_tokens=5, cost_usd=0.001),
        "created_at": NOW + timedelta(minutes=2),
    }
    return Grade(**{**values, **changes})


def make_result(*replies: str, **changes: Any) -> RunResult:
    """Return the result of a replay of make_recording's run."""
    said = replies or ("Can you tell me more?", "Let us say Friday.")
    recorded = [m for m in make_recording().run.messages if m.role in ("user", "assistant")]
    messages = [
        ReplayedMessage(
            id=uid(f"replayed-{i}"),
            role="user" if m.role == "user" else "assistant",
            content=m.content if m.role == "user" else said[(i // 2) % len(said)],
            recorded=m.content,
        )
        for i, m in enumerate(recorded)
    ]
    values: dict[str, Any] = {
        "messages": messages,
        "tool_calls": 2,
        "matched_calls": 1,
        "recorded_calls": 2,
        "first_token_ms": 120.0,
        "duration_ms": 1500.0,
        "usage": Usage(prompt_tokens=200, completion_tokens=40, cost_usd=0.002),
        "finished_at": NOW + timedelta(minutes=1),
    }
    return RunResult(**{**values, **changes})


def make_run(original: str = "one", *, cycle: int = 1, state: str = "done", **changes: Any) -> Run:
    """Return a run of an invocation; done and not graded unless told otherwise."""
    invocation = changes.get("invocation_id", INVOCATION)
    ended = state in ("done", "failed")
    values: dict[str, Any] = {
        "id": derive("run", invocation, str(cycle), uid(original)),
        "test_id": TEST,
        "invocation_id": invocation,
        "org": "default",
        "owner_profile": AUTHOR,
        "original_id": uid(original),
        "name": original,
        "position": 1,
        "cycle": cycle,
        "state": state,
        "fence": 0 if state == "pending" else 1,
        "replay_id": None if state == "pending" else derive("replay", invocation, str(cycle), original),
        "started_at": NOW if ended else None,
        "counted": ended,  # else the keeper counts it, and may begin the next cycle
        "result": make_result() if ended else None,
        "created_at": NOW,
    }
    return Run(**{**values, **changes})


def make_recording(original: str = "one", **changes: Any) -> Recording:
    """Return a recorded run of a test, with a tool call."""
    run = RecordedRun(
        id=uid(original),
        name=changes.pop("name", original),
        messages=[
            RecordedMessage(role="user", content="I missed the deadline.", at_ms=0),
            RecordedMessage(role="assistant", content="That sounds stressful. What happened?", at_ms=900),
            RecordedMessage(role="user", content="I work nights.", at_ms=5000),
            RecordedMessage(
                role="assistant", tool_calls=[ToolCall(id="c1", name="find_date", arguments='{"week": 3}')]
            ),
            RecordedMessage(role="tool", content='{"date": "Friday"}', tool_call_id="c1"),
            RecordedMessage(role="assistant", content="How about Friday?", at_ms=7000),
        ],
    )
    values: dict[str, Any] = {
        "id": derive(TEST, uid(original)),
        "test_id": TEST,
        "original_id": uid(original),
        "run": run,
        "rubric": make_rubric(),
    }
    return Recording(**{**values, **changes})


def make_invocation(name: str = "invocation", **changes: Any) -> Invocation:
    """Return an invocation of the test."""
    values: dict[str, Any] = {
        "id": uid(name),
        "test_id": TEST,
        "owner": AUTHOR,
        "org": "default",
        "agent": Agent(id=uid("agent"), name="Careful", instructions="Listen first.", model="scripted"),
        "mode": "auto_regressive",
        "concurrency": 4,
        "total_runs": 1,
        "position": 0,
        "created_at": NOW,
    }
    return Invocation(**{**values, **changes})


def make_test(**changes: Any) -> Test:
    """Return a test of one invocation."""
    benchmark = TestedBenchmark(
        id=uid("benchmark"),
        name="Office hours",
        agent_ids=[uid("agent")],
        rubric_id=uid("rubric"),
        mode="auto_regressive",
        concurrency=4,
    )
    values: dict[str, Any] = {
        "id": TEST,
        "owner": AUTHOR,
        "org": "default",
        "benchmark": benchmark,
        "invocation_ids": [INVOCATION],
        "created_at": NOW,
    }
    return Test(**{**values, **changes})


async def put(store: Store, *aggregates: Test | Invocation | Run | Recording) -> None:
    """Store a test's parts as its engine does."""
    names = {Test: "tests", Invocation: "invocations", Run: "runs", Recording: "recordings"}
    for aggregate in aggregates:
        await store.database[names[type(aggregate)]].insert_one(to_document(aggregate))
