"""How tests, invocations and runs are shown to those who may read them back."""

from dataclasses import asdict
from typing import Any

from schemas.envelope import iso
from schemas.test import Invocation, Recording, Run, Test
from server.engine.replay.figures import Figures, latest_grade, outcome_of, run_figures
from server.store.replays import Counts

Row = dict[str, Any]


def row_of_test(test: Test, counts: Counts) -> Row:
    """Return a test as lists show it; `counts` are of all its runs."""
    benchmark = test.benchmark.model_dump(mode="json")
    return {
        "id": test.id,
        "benchmark": benchmark,
        "owner": test.owner.model_dump(),
        "infinite_mode": test.infinite_mode,
        "status": test.status,
        "invocation_ids": test.invocation_ids,
        "created_at": iso(test.created_at),
        "ended_at": iso(test.ended_at) if test.ended_at else None,
        "counts": asdict(counts),
    }


def row_of_invocation(invocation: Invocation, counts: Counts) -> Row:
    """Return an invocation; total_runs is of one cycle, `counts` are of all cycles."""
    return {
        "id": invocation.id,
        "test_id": invocation.test_id,
        "agent": invocation.agent.model_dump(mode="json"),
        "mode": invocation.mode,
        "concurrency": invocation.concurrency,
        "position": invocation.position,
        "total_runs": invocation.total_runs,
        "infinite_mode": invocation.infinite_mode,
        "group": invocation.group,
        "cycle": invocation.cycle,
        "remaining_runs": max(0, invocation.total_runs - invocation.counted),
        "created_at": iso(invocation.created_at),
        "counts": asdict(counts),
    }


def row_of_run(run: Run) -> Row:
    """Return a run without what was said: `run_id` names its present replay, `id` stays."""
    result, grade = run.result, latest_grade(run)
    return {
        "id": run.id,
        "run_id": run.replay_id,
        "test_id": run.test_id,
        "invocation_id": run.invocation_id,
        "original_id": run.original_id,
        "name": run.name,
        "position": run.position,
        "cycle": run.cycle,
        "state": run.state,
        "outcome": outcome_of(run),
        "grading": run.grading is not None,
        "grade_id": grade.grade_id if grade else None,
        "score": grade.score if grade else None,
        "total_points": grade.total_points if grade else None,
        "percentage": grade.percentage if grade else None,
        "passed": grade.passed if grade else None,
        "figures": asdict(run_figures(run)),
        "error": {"code": result.code, "message": result.error} if result and result.error else None,
        "created_at": iso(run.created_at),
        "started_at": iso(run.started_at) if run.started_at else None,
        "finished_at": iso(result.finished_at) if result else None,
    }


def run_whole(run: Run) -> Row:
    """Return a run with what was said in its replay and with all its grades."""
    messages = run.result.messages if run.result else []
    return {
        **row_of_run(run),
        "messages": [m.model_dump(mode="json") for m in messages],
        "grades": [g.model_dump(mode="json") for g in run.grades],
    }


def recording_view(recording: Recording) -> Row:
    """Return a recorded run with the rubric that its replays are judged by."""
    return {
        "id": recording.original_id,
        "name": recording.run.name,
        "messages": [m.model_dump(mode="json") for m in recording.run.messages],
        "rubric": recording.rubric.model_dump(mode="json") if recording.rubric else None,
    }


def figures_view(figures: Figures) -> Row:
    """Return figures as JSON shows them."""
    return asdict(figures)


def counts_of(figures: Figures) -> Counts:
    """Return the counts that figures imply."""
    counts = Counts(
        grading=figures.being_graded,
        graded=figures.outcomes["passed"] + figures.outcomes["not_passed"],
        passed=figures.passed,
    )
    for state, runs in figures.states.items():
        counts.add(state, runs)
    return counts
