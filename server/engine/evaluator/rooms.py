"""The room of a result: its entries, and what its snapshot holds besides what they add up to."""

from collections.abc import Awaitable, Callable
from typing import Any

from schemas.envelope import ErrorCode, iso, utc_now
from schemas.evaluator_run import (
    EvaluatorResult,
    EvaluatorRun,
    ResultEnded,
    ResultStarted,
    RunEnded,
    RunStarted,
    RunTurn,
    TranscriptItem,
)
from schemas.room import OpsPhase
from schemas.stored import Pending
from server.engine.evaluator.views import Figures
from server.engine.ids import number_of
from server.engine.pending import pending
from server.engine.watching.ops import ops_event
from server.store import Store


def result_room(result_id: int) -> str:
    """Return the room of a result."""
    return f"result_{result_id}"


def result_of(room: str) -> int | None:
    """Return the result whose room this is."""
    return number_of(room.removeprefix("result_"))


def result_started(result: EvaluatorResult, total_runs: int) -> Pending:
    """Return what tells that a result's runs begin, or go on under another fence."""
    event = ResultStarted(
        result_id=result.id,
        name=result.name,
        agent=result.agent,
        total_runs=total_runs,
        run_as_text=result.run_as_text,
        started_at=result.started_at or utc_now(),
    )
    return pending(result_room(result.id), event, f"result:{result.id}:{result.fence}:started")


def run_started(run: EvaluatorRun) -> Pending:
    """Return what tells that a run's agent is called."""
    event = RunStarted(
        result_id=run.result,
        run_id=run.id,
        scenario=run.plan.scenario,
        scenario_name=run.scenario_name,
        number=run.plan.number,
        attempt=run.attempt,
    )
    return pending(result_room(run.result), event, f"run:{run.id}:{run.attempt}:started")


def run_turn(run: EvaluatorRun, index: int, item: TranscriptItem) -> Pending:
    """Return what tells of an item of a run's transcript."""
    event = RunTurn(
        result_id=run.result,
        run_id=run.id,
        attempt=run.attempt,
        index=index,
        role=item.role,
        content=item.content,
        start_time=item.start_time,
        end_time=item.end_time,
        data=item.data,
    )
    return pending(result_room(run.result), event, f"run:{run.id}:{run.attempt}:{index}")


def run_ended(run: EvaluatorRun) -> Pending:
    """Return what tells how a run ended."""
    outcome = run.judgement.expected_outcome if run.judgement else None
    event = RunEnded(
        result_id=run.result,
        run_id=run.id,
        scenario=run.plan.scenario,
        status=run.status,
        success=run.success,
        ended_reason=run.ended_reason,
        expected_outcome=outcome.score if outcome else None,
        simulator_error=run.judgement.simulator_error if run.judgement else None,
        error_message=run.error_message,
        duration=run.duration or 0.0,
        judged=run.judged,
    )
    return pending(result_room(run.result), event, f"run:{run.id}:{run.judged}:ended")


def result_ended(result: EvaluatorResult, figures: Figures, rates: list[float] | None) -> Pending:
    """Return what tells what a result came to."""
    event = ResultEnded(
        result_id=result.id,
        status=result.status,
        success_rate=figures.success_rate,
        total_runs=figures.total,
        completed_runs=figures.completed,
        success_runs=figures.success,
        failed_runs=figures.failed,
        simulator_errors=figures.simulator_errors,
        pass_hat_k=rates,
    )
    return pending(result_room(result.id), event, f"result:{result.id}:{result.ends}:ended")


def ops(result: EvaluatorResult, phase: OpsPhase, *, code: ErrorCode | None = None) -> Pending:
    """Return what operators are told of a result."""
    return ops_event(
        "evaluator",
        key=result.id,
        room=result_room(result.id),
        phase=phase,
        owner=result.owner,
        org=result.org,
        code=code,
        step=str(result.ends) if result.ends else "",
    )


def result_base(store: Store) -> Callable[[str], Awaitable[dict[str, Any]]]:
    """Return what a result's snapshot holds besides its folded entries: all that never changes."""

    async def base(room: str) -> dict[str, Any]:
        number = result_of(room)
        result = await store.evaluator_results.slim(number) if number is not None else None
        if result is None:
            return {}
        shown = {"result_id": result.id, "name": result.name, "agent": result.agent, "freq": result.freq}
        return {"result": {**shown, "owner": result.owner.model_dump(), "created_at": iso(result.created_at)}}

    return base
