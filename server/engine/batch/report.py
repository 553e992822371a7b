"""Reports of a batch job: put together in bounded memory from its stored results, also while it runs."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schemas.batch import BatchRequest, BatchResult, JobFigures, PartSummary, TestCase
from schemas.batch_job import BatchJob
from schemas.envelope import utc_now
from server.engine.batch.tally import Tally
from server.engine.reports.sections import Piece, Sections
from server.engine.spool import Spool
from server.errors import NotFound
from server.store import Store
from server.store.packing import unpack
from server.store.results import ResultRow

PAGE = 100
AT_ONCE = 1  # of them, for each holds its job's request


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A result with its run, by its place among permutations, test cases and languages."""

    result: BatchResult
    case: TestCase
    permutation: int
    place: int  # of the test case
    language: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a report says of the whole job."""

    job: BatchJob
    request: BatchRequest
    figures: JobFigures
    by_permutation: list[PartSummary]
    by_language: list[PartSummary]
    by_test_case: list[PartSummary] | int
    made_at: datetime

    @property
    def languages(self) -> list[str]:
        """Return the languages of the runs by name."""
        source = self.request.config.source_language
        return [language or source for language in self.request.languages]

    @property
    def partly(self) -> bool:
        """Tell whether there are runs without a result."""
        return self.figures.total_test_cases < self.job.total_runs

    @property
    def unfinished(self) -> bool:
        """Tell whether there may be more results later."""
        return self.job.completed_on is None


class Writer(Protocol):
    """A format. Results come in the order of storing; the document is put together when all are known."""

    def sections(self) -> int:
        """Return how many sections there may be."""

    def add(self, line: Line) -> Iterable[tuple[int, str]]:
        """Return what a result adds to which sections."""

    def document(self, summary: Summary, sections: Sections) -> Iterator[Piece]:
        """Yield the report from its beginning to its end."""


class JobReports:
    """Writes reports of jobs, one after the other, so that they do not crowd out what is live."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def write(self, job: BatchJob, make: Callable[[BatchRequest], Writer]) -> Spool:
        """Return a report of what a job has come to so far; close it when it has been sent."""
        spool = Spool()
        try:
            async with self._slots:
                request = await self._request(job)
                await self._write(spool, job=job, request=request, writer=make(request))
        except BaseException:
            spool.close()
            raise
        return spool

    async def _request(self, job: BatchJob) -> BatchRequest:
        packed = await self._store.jobs.request(job.id, digest=job.digest)
        if packed is None:
            raise NotFound("The job's request is gone, so there is no report.")
        return await asyncio.to_thread(lambda: BatchRequest.model_validate_json(unpack(packed)))

    async def _write(self, spool: Spool, *, job: BatchJob, request: BatchRequest, writer: Writer) -> None:
        tally, sections = Tally(request), Sections(spool, most=writer.sections())
        writing = _Writing(request, tally=tally, writer=writer, sections=sections)
        index = 0
        while rows := await self._store.results.page(job.id, from_=index, limit=PAGE):
            await asyncio.to_thread(writing.take, rows)
            index = rows[-1].index + 1
        summary = _summary(job, request, tally)
        spool.pieces = await asyncio.to_thread(lambda: list(writer.document(summary, sections)))


class _Writing:
    """One report while its results are read."""

    def __init__(self, request: BatchRequest, *, tally: Tally, writer: Writer, sections: Sections) -> None:
        self._request = request
        self._tally = tally
        self._writer = writer
        self._sections = sections

    def take(self, rows: list[ResultRow]) -> None:
        """Count and write the results of a page."""
        for row in rows:
            if row.end is None:
                line = self._line(row)
                self._tally.add(line.result)
                for section, text in self._writer.add(line):
                    self._sections.add(section, text)

    def _line(self, row: ResultRow) -> Line:
        permutation, place, language = self._request.run_at(row.run)
        return Line(
            result=BatchResult.model_validate_json(row.j),
            case=self._request.test_cases[place],
            permutation=permutation,
            place=place,
            language=language,
        )


def _summary(job: BatchJob, request: BatchRequest, tally: Tally) -> Summary:
    now = utc_now()
    seconds = ((job.completed_on or now) - job.started_on).total_seconds() if job.started_on else 0.0
    return Summary(
        job=job,
        request=request,
        figures=tally.figures(max(0.0, seconds)),
        by_permutation=tally.by_permutation(),
        by_language=tally.by_language(),
        by_test_case=tally.by_test_case(),
        made_at=now,
    )
