"""What a job came to in the end: its summary, and the writes to its ledger."""

from datetime import datetime
from typing import Any

from schemas.batch import BatchRequest, JobFigures, JobStatus, JobSummary, RunError
from schemas.batch_job import BatchJob
from schemas.envelope import utc_now
from schemas.stored import Pending
from server.engine.batch.rooms import batch_room, ended, ops
from server.engine.batch.tally import Tally
from server.engine.batch.work import Work
from server.errors import Internal, TooLarge
from server.rooms.outbox import Outboxes
from server.store import Store

REQUEST_GONE = RunError(code="internal", message="The request of this job cannot be read; start it again.")
KEYS_CLOSED = RunError(code="internal", message="The keys of this job cannot be read; start it again.")
MAX_DETAILS = 1000  # results that a summary holds; of more only their number is given


def broken_error() -> RunError:
    """Return the error of what a bug of ours ended."""
    return RunError(code="internal", message=Internal().message)


def job_name(job: BatchJob) -> str:
    """Return a job's name as summaries show it: with its version and the day on which it began."""
    day = (job.started_on or job.created_at).date().isoformat()
    return "-".join(part for part in (job.name, job.version, day) if part)


def summary_of(
    job: BatchJob,
    request: BatchRequest,
    tally: Tally,
    *,
    status: JobStatus,
    completed_on: datetime,
    error: RunError | None = None,
) -> JobSummary:
    """Return a job's summary without its results, of which it tells the number."""
    seconds = (completed_on - job.started_on).total_seconds() if job.started_on else 0.0
    figures = tally.figures(max(0.0, seconds))
    return JobSummary(
        status=status,
        job_name=job_name(job),
        job_id=job.id,
        started_on=job.started_on,
        completed_on=completed_on,
        test_plugin=request.test_plugin.manifest_url,
        permutations=[p.model_dump(mode="json", exclude_none=True) for p in request.permutations],
        summary=figures,
        summary_by_permutation=tally.by_permutation(),
        summary_by_language=tally.by_language(),
        summary_by_test_case=tally.by_test_case(),
        details=figures.total_test_cases,
        error=error,
    )


def _bare_summary(job: BatchJob, *, completed_on: datetime, results: int, error: RunError) -> JobSummary:
    """Return the summary of a job whose request cannot be read; of its results it tells the number."""
    return JobSummary(
        status="failed",
        job_name=job_name(job),
        job_id=job.id,
        started_on=job.started_on,
        completed_on=completed_on,
        test_plugin="",
        permutations=[],
        summary=JobFigures(
            total_test_cases=results,
            failed_cases=0,
            language="",
            overall_accuracy=0.0,
            accuracy_step_a=0,
            accuracy_step_b=0,
            accuracy_step_c=0,
            total_run_time=0.0,
            average_response_time_sec=0.0,
            total_llm_tokens_used=0,
            average_llm_tokens_used=0.0,
            total_llm_api_cost=0.0,
            cached_calls=0,
        ),
        summary_by_permutation=[],
        summary_by_language=[],
        summary_by_test_case=[],
        details=results,
        error=error,
    )


class Ledger:
    """Writes what happens to a job, if nobody else has changed it since it was read."""

    def __init__(self, store: Store, outboxes: Outboxes) -> None:
        self._store = store
        self._outboxes = outboxes

    async def change(
        self, job: BatchJob, *, update: dict[str, Any], outbox: list[Pending] | None = None
    ) -> list[Pending] | None:
        """Change a job as it was read; None when somebody else changed it since. Raises Unavailable."""
        when: dict[str, Any] = {"state": job.state, "fence": job.fence, "process": job.process}
        return await self._store.jobs.change(job.id, when=when, update=update, outbox=outbox or [])

    async def end(
        self, job: BatchJob, request: BatchRequest, work: Work, error: RunError | None = None
    ) -> None:
        """Store what a job came to, if it is still ours; raises Unavailable."""
        status = work.shelf.end
        assert status is not None, "results are ended first"
        error = (error or broken_error()) if status == "failed" else None
        summary = summary_of(job, request, work.tally, status=status, completed_on=utc_now(), error=error)
        counters = {**work.counters, "published": work.teller.told}
        await self._store.entries.close_room(batch_room(job.id))
        try:
            await self._finish(job, summary, counters)
        except TooLarge:
            await self._finish(job, _shortened(summary), counters)

    async def end_bare(self, job: BatchJob, error: RunError) -> None:
        """End a job whose results cannot be summed up; raises Unavailable."""
        count = await self._store.results.end_all(job.id, "failed")
        await self._store.entries.close_room(batch_room(job.id))
        summary = _bare_summary(job, completed_on=utc_now(), results=count, error=error)
        await self._finish(job, summary, {"results": count})

    async def _finish(self, job: BatchJob, summary: JobSummary, counters: dict[str, int]) -> None:
        events = _end_events(job, summary, results=counters.get("results", job.results))
        outbox = await self.change(job, update=_end_update(summary, counters), outbox=events)
        if outbox is not None:
            self._outboxes.publish("jobs", job.id, outbox)


def _shortened(summary: JobSummary) -> JobSummary:
    """Return a summary that can be stored whatever names a job has: without what is said of its parts."""
    return summary.model_copy(
        update={"permutations": [], "summary_by_permutation": [], "summary_by_test_case": 0}
    )


def _end_update(summary: JobSummary, counters: dict[str, int]) -> dict[str, Any]:
    """Return the change that ends a job and erases its keys."""
    return {
        "$set": {
            "state": summary.status,
            "completed_on": summary.completed_on,
            "summary": summary.model_dump(),
            "error": summary.error.model_dump() if summary.error else None,
            **counters,
        },
        "$unset": {"keys": 1, "sealed_by": 1, "process": 1},
    }


def _end_events(job: BatchJob, summary: JobSummary, *, results: int) -> list[Pending]:
    """Return what tells of a job's end."""
    failed = [ops(job, "error", code=summary.error.code)] if summary.error else []
    return [ended(job, summary, results=results), *failed, ops(job, "ended")]
