"""Compares the folded log of an invocation's room with what the store says of its runs."""

from typing import Any

from schemas.envelope import Id
from schemas.test import Run
from server.rooms.folds import FOLDS
from server.store import Store
from tests.fold.oracle import check_splits, fold_of, log_of, shown_by
from tests.support.trials import as_state

State = dict[str, Any]
STATES = {"running": "running", "done": "done", "failed": "failed"}


async def check_trial(store: Store, invocation_id: Id) -> set[str]:
    """Check that an invocation's log, snapshots of it and the store agree; return the events' names."""
    room = f"test_{invocation_id}"
    rows = await log_of(store, room)
    shown = shown_by(room, rows)
    runs = [r for r in [await store.runs.get(i) for i in await run_ids(store, invocation_id)] if r]
    known = {r["run_id"]: r for r in shown["runs"]}
    begun = [run for run in runs if run.state in STATES]
    for run in begun:
        check_run(known[run.replay_id or ""], run)
    open_replays = {run.replay_id for run in begun if run.state == "running"}
    assert {r["run_id"] for r in shown.get("running", [])} == open_replays
    assert {r for r, entry in known.items() if entry["state"] == "running"} == open_replays
    gone = [entry for replay, entry in known.items() if replay not in {run.replay_id for run in begun}]
    assert all(entry["state"] in ("stopped", "failed") for entry in gone)
    check_splits(room, rows)
    fold = FOLDS["test"]
    for at in range(len(rows) + 1):
        told = as_state(shown_by(room, rows[:at]))
        assert fold.show(fold_of(fold, rows[at:], told)) == shown, f"snapshot at {at}"
    return {row.name for row in rows}


def check_run(shown: State, run: Run) -> None:
    """Check what the fold says of one replay."""
    assert (shown["state"], shown["current_run"]) == (STATES[run.state], run.position)
    assert shown["original_run_resource_id"] == run.original_id
    if run.state == "done" and run.result:
        assert shown["tool_calls"] == run.result.tool_calls
    if run.state == "failed" and run.result:
        assert shown["code"] == run.result.code
    grade = shown.get("grade", {"state": "none"})
    if run.grades and run.grading is None and grade["state"] != "failed":
        last = run.grades[-1]
        expected = {"grade_id": last.grade_id, "score": last.score, "passed": last.passed, "state": "done"}
        assert grade == expected
    elif run.grading is not None:
        assert grade["state"] in ("none", "running")
    else:
        assert grade["state"] in ("none", "failed")


async def run_ids(store: Store, invocation_id: Id) -> list[Id]:
    """Return all runs of an invocation."""
    return [run.id for run in await store.runs.find({"invocation_id": invocation_id}, limit=10_000)]
