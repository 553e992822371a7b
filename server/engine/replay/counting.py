"""Counts runs that have ended in their invocation, and says what follows. No I/O."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from schemas.envelope import ErrorCode, Id, utc_now
from schemas.stored import Pending
from schemas.test import Invocation, Run, TestAllComplete, TestError, TestRunComplete
from server.engine.ids import derive
from server.engine.pending import pending
from server.engine.replay.rooms import test_room
from server.engine.watching.ops import ops_event


class Tally(NamedTuple):
    """How many runs of a cycle are counted as ended, and how many of these failed."""

    counted: int
    failed: int


def run_key(invocation_id: Id, cycle: int, original_id: Id) -> Id:
    """Return the id of a recorded run's place in an invocation and cycle."""
    return derive(invocation_id, str(cycle), original_id)


def count(invocation: Invocation, ended: Sequence[Run], *, before: Tally) -> tuple[Invocation, list[Pending]]:
    """Return the invocation with runs counted that have ended since, and the events that say so.

    `before` says how many of the cycle had been counted. Runs of an earlier cycle are told of only.
    """
    runs = sorted(ended, key=_end_of)
    counted, failed = before.counted, before.failed
    events: list[Pending] = []
    for run in runs:
        mine = run.cycle == invocation.cycle
        counted += mine
        failed += mine and run.state == "failed"
        events += _ended(invocation, run, remaining=invocation.total_runs - counted)
    over = {run.id for run in runs}
    changed = invocation.model_copy(
        update={
            "counted": counted,
            "failed": failed,
            "counting": [run.replay_id for run in runs] or invocation.counting,
            "active": [a for a in invocation.active if a not in over],
        }
    )
    if counted > before.counted and is_complete(changed):
        events += _all_complete(changed, last=runs[-1])
    return changed, events


def is_complete(invocation: Invocation) -> bool:
    """Tell whether all runs of the cycle have ended."""
    return invocation.counted >= invocation.total_runs


def next_cycle(invocation: Invocation) -> Invocation:
    """Return an invocation in its next cycle, whose runs are to be made then."""
    update = {"cycle": invocation.cycle + 1, "counted": 0, "failed": 0, "active": []}
    return invocation.model_copy(update=update)


def runs_of_cycle(invocation: Invocation, runs: Sequence[Run]) -> list[Run]:
    """Return the runs of an invocation's present cycle, made from those of another one."""
    return [
        Run(
            id=run_key(invocation.id, invocation.cycle, run.original_id),
            test_id=run.test_id,
            invocation_id=run.invocation_id,
            org=run.org,
            owner_profile=run.owner_profile,
            original_id=run.original_id,
            name=run.name,
            position=run.position,
            cycle=invocation.cycle,
            created_at=utc_now(),
        )
        for run in runs
    ]


def give_up(invocation: Invocation) -> tuple[Invocation, list[Pending]]:
    """End the infinite mode of an invocation all of whose runs failed: more would fare no better."""
    event = TestError(
        invocation_id=invocation.id,
        message="Every replay of this cycle failed, so no further cycle begins; see why, then start again.",
        error_type="proceed",
        code="conflict",
    )
    told = pending(test_room(invocation.id), event, f"{invocation.id}:{invocation.cycle}:given-up")
    changed = invocation.model_copy(update={"infinite_mode": False, "group": False})
    return changed, [told, over(invocation)]


def over(invocation: Invocation) -> Pending:
    """Return the entry for the ops room that an invocation has ended: the first time counts."""
    return ops_event(
        "test",
        key=invocation.test_id,
        room=test_room(invocation.id),
        phase="ended",
        owner=invocation.owner,
        org=invocation.org,
    )


def run_failed(run: Run, *, message: str, code: ErrorCode) -> Pending:
    """Return the event that a replay has failed."""
    event = TestError(
        invocation_id=run.invocation_id, run_id=run.replay_id, message=message, error_type="run", code=code
    )
    return pending(test_room(run.invocation_id), event, f"{run.replay_id}:failed")


def _end_of(run: Run) -> tuple[datetime, int]:
    return (run.result.finished_at if run.result else run.created_at, run.position)


def _ended(invocation: Invocation, run: Run, *, remaining: int) -> list[Pending]:
    room = test_room(invocation.id)
    if run.state == "failed" and run.result is not None:
        code: ErrorCode = run.result.code or "internal"
        told = ops_event(
            "test",
            key=invocation.test_id,
            room=room,
            phase="error",
            owner=invocation.owner,
            org=invocation.org,
            code=code,
            step=run.replay_id or "",
        )
        return [run_failed(run, message=run.result.error or "The replay failed.", code=code), told]
    event = TestRunComplete(
        invocation_id=invocation.id,
        run_id=run.replay_id or run.id,
        original_run_resource_id=run.original_id,
        tool_calls=run.result.tool_calls if run.result else None,
        current_run=run.position,
        total_runs=invocation.total_runs,
        remaining_runs=remaining,
    )
    return [pending(room, event, f"{run.replay_id}:complete")]


def _all_complete(invocation: Invocation, *, last: Run) -> list[Pending]:
    room = test_room(invocation.id)
    event = TestAllComplete(
        invocation_id=invocation.id,
        total_runs=invocation.total_runs,
        success=not invocation.failed,
        cycle=invocation.cycle,
    )
    told = pending(room, event, f"{last.replay_id}:all")
    return [told] if invocation.infinite_mode else [told, over(invocation)]
