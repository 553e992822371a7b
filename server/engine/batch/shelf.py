"""Stores the results of a job in order, whoever else is at it: each run once, indexes without holes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from pydantic_core import PydanticSerializationError

from schemas.batch import BatchResult, JobStatus, RunError
from schemas.envelope import Id
from server.store.results import ResultRow, ResultStore, is_cut

log = structlog.get_logger(__name__)
PAGE = 250
STEP_BYTES = 8 * 1024 * 1024
MAX_RESULT = 512 * 1024  # the longest prompts, both of them, take up to 384 KB in JSON
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that has come to its end, by its number."""

    run: int
    result: BatchResult


class Shelf:
    """A job's results as this process knows them: `count` are stored, `done` marks their runs.

    An index and a run are taken once, by whoever comes first; others read what stands there and go on behind
    it. `end` is set once nothing can be stored any more.
    """

    def __init__(self, results: ResultStore, job_id: Id, *, total_runs: int) -> None:
        self._results = results
        self._job_id = job_id
        self.done = bytearray(total_runs)
        self.count = 0
        self.end: JobStatus | None = None
        self._behind = True

    @property
    def is_full(self) -> bool:
        """Tell whether every run is stored."""
        return self.count == len(self.done)

    def left(self, finished: Sequence[Finished]) -> list[Finished]:
        """Return those whose run is not stored."""
        return [f for f in finished if not self.done[f.run]] if self.end is None else []

    async def read(self) -> list[BatchResult]:
        """Return the next results that others stored; none when all are known. Raises Unavailable."""
        rows = await self._results.page(self._job_id, from_=self.count, limit=PAGE)
        found = []
        for row in rows:
            if row.end is not None:
                self.end = row.end
            elif row.index == self.count and self.end is None:
                found.append(BatchResult.model_validate_json(row.j))
                self._take(row.run)
        self._behind = is_cut([row.j for row in rows], limit=PAGE)
        return found

    async def store(self, finished: Sequence[Finished]) -> list[BatchResult]:
        """Store what is left, or read what somebody else stored in its place; call it until nothing is left.

        Returns what is new, in order. Raises Unavailable; doing it again finds what went in.
        """
        left = self.left(finished)
        if self._behind:
            found = await self.read()
            if not found and self.end is None:
                await asyncio.sleep(LOOK_SECONDS)  # no majority has it yet
            return found
        results, rows = self._rows(left)
        stopped = await self._results.append(self._job_id, rows)
        self._behind = stopped is not None
        for row in rows[:stopped]:
            self._take(row.run)
        return results[:stopped]

    async def finish(self, status: JobStatus) -> list[BatchResult]:
        """Let nothing be stored any more; call it until `end` is set. Returns what others stored."""
        if not self._behind:
            if await self._results.end(self._job_id, self.count, status):
                self.end = status
                return []
            self._behind = True
        return await self.read()

    def _take(self, run: int) -> None:
        self.done[run] = 1
        self.count += 1

    def _rows(self, left: Sequence[Finished]) -> tuple[list[BatchResult], list[ResultRow]]:
        """Return the next results with their indexes, as many as fit into one write."""
        results: list[BatchResult] = []
        rows: list[ResultRow] = []
        size = 0
        for index, finished in enumerate(left, start=self.count):
            finished.result.index = index
            result, j = _encoded(finished.result)
            size += len(j)
            if rows and size > STEP_BYTES:
                break
            results.append(result)
            rows.append(ResultRow(index=index, run=finished.run, j=j))
        return results, rows


def _encoded(result: BatchResult) -> tuple[BatchResult, bytes]:
    """Return a result with its JSON; one that cannot be kept is an error instead."""
    try:
        j = result.model_dump_json().encode()
    except PydanticSerializationError:
        error = RunError(code="upstream", message="The model's answer holds characters that are none.")
    else:
        if len(j) <= MAX_RESULT:
            return result, j
        error = RunError(code="too_large", message="The model's answer is too large to be kept.")
    log.warning("result not kept whole", code=error.code)
    short = result.model_copy(update=unusable(error))
    return short, short.model_dump_json().encode()


def unusable(error: RunError) -> dict[str, object]:
    """Return the fields of a run that failed."""
    return {
        "is_run_completed": False,
        "final_output": "FAILED",
        "match_score": 0.0,
        "is_plugin_detected": False,
        "is_plugin_operation_found": False,
        "is_method_matched": False,
        "is_plugin_parameter_mapped": False,
        "plugin_name": None,
        "plugin_operation": None,
        "plugin_parameters_mapped": None,
        "parameter_mapped_percentage": 0.0,
        "detected": [],
        "verdict": "Error",
        "error": error,
    }
