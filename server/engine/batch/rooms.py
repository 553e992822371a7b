"""The room of a batch job: its entries, and what its snapshot holds besides what they add up to."""

from collections.abc import Awaitable, Callable
from typing import Any

from schemas.batch import BatchEnded, BatchRequest, BatchResult, BatchResultStored, BatchStarted, JobSummary
from schemas.batch_job import BatchJob
from schemas.envelope import ErrorCode, Id, Time, iso
from schemas.room import OpsPhase
from schemas.stored import Pending
from server.engine.pending import pending
from server.engine.watching.ops import ops_event
from server.store import Store

MAX_NAMES = 100


def batch_room(job_id: Id) -> str:
    """Return the room of a batch job."""
    return f"batch_{job_id}"


def result_eid(job_id: Id, index: int) -> str:
    """Return the event id of a result's entry: publishing it again adds nothing."""
    return f"{job_id}:result:{index}"


def started(job: BatchJob, request: BatchRequest, *, started_on: Time, results: int) -> Pending:
    """Return what tells that a job's runs begin, or go on under another fence."""
    event = BatchStarted(
        job_id=job.id,
        name=job.name,
        total_runs=job.total_runs,
        results=results,
        permutations=[p.name for p in request.permutations][:MAX_NAMES],
        languages=[language or request.config.source_language for language in request.languages],
        started_on=started_on,
    )
    return pending(batch_room(job.id), event, f"{job.id}:{job.fence}:started")


def stored(result: BatchResult) -> BatchResultStored:
    """Return what tells of a result."""
    return BatchResultStored(
        job_id=result.job_id,
        index=result.index,
        permutation_name=result.permutation_name,
        test_case_name=result.test_case_name,
        language=result.language,
        verdict=result.verdict,
        match_score=result.match_score,
        response_time_sec=result.response_time_sec,
        total_llm_tokens_used=result.total_llm_tokens_used,
        llm_api_cost=result.llm_api_cost,
        code=result.error.code if result.error else None,
    )


def ended(job: BatchJob, summary: JobSummary, *, results: int) -> Pending:
    """Return what tells that a job has ended."""
    figures = summary.summary
    event = BatchEnded(
        job_id=job.id,
        status=summary.status,
        total_runs=job.total_runs,
        results=results,
        overall_accuracy=figures.overall_accuracy,
        total_llm_tokens_used=figures.total_llm_tokens_used,
        total_llm_api_cost=figures.total_llm_api_cost,
        code=summary.error.code if summary.error else None,
    )
    return pending(batch_room(job.id), event, f"{job.id}:ended")


def ops(job: BatchJob, phase: OpsPhase, *, code: ErrorCode | None = None) -> Pending:
    """Return what operators are told of a job."""
    return ops_event(
        "batch", key=job.id, room=batch_room(job.id), phase=phase, owner=job.owner, org=job.org, code=code
    )


def batch_base(store: Store) -> Callable[[str], Awaitable[dict[str, Any]]]:
    """Return what a job's snapshot holds besides its folded entries: all that never changes."""

    async def base(room: str) -> dict[str, Any]:
        job = await store.jobs.slim(room.removeprefix("batch_"))
        if job is None:
            return {}
        shown = {"job_id": job.id, "name": job.name, "version": job.version, "total_runs": job.total_runs}
        return {"job": {**shown, "owner": job.owner.model_dump(), "created_at": iso(job.created_at)}}

    return base
