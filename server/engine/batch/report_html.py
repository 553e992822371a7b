"""A batch job as one page to read and to print: what is best, the matrix of its runs, and what went wrong."""

from collections.abc import Iterator
from pathlib import Path

from schemas.batch import BatchRequest
from server.engine.batch.ending import job_name
from server.engine.batch.report import Line, Summary
from server.engine.batch.report_failures import MAX_FAILURES, failure
from server.engine.batch.report_matrix import Matrix
from server.engine.batch.report_tables import best_table, overall_table, parts_table
from server.engine.batch.report_words import answered_otherwise
from server.engine.reports.markup import Html, join, tag
from server.engine.reports.page import REPORT_STYLE, closing, moment, opening
from server.engine.reports.sections import Piece, Sections
from server.engine.reports.words import plain

OWN_STYLE = Html(Path(__file__).with_suffix(".css").read_text())


class HtmlReport:
    """A whole HTML document that loads nothing; every text in it is escaped."""

    def __init__(self, request: BatchRequest) -> None:
        self._request = request
        self._matrix = Matrix(request)
        self._failures = 0
        self._answered: dict[str, dict[str, None]] = {}  # other models than a permutation names

    def sections(self) -> int:
        """Return how many sections there may be."""
        return 1

    def add(self, line: Line) -> Iterator[tuple[int, str]]:
        """Return the details of a result that did not pass, while there are not too many."""
        permutation = self._request.permutations[line.permutation]
        if answered := answered_otherwise(line.result, permutation):
            self._answered.setdefault(permutation.name, {})[answered] = None
        shown = line.result.verdict != "Passed" and self._failures < MAX_FAILURES
        self._matrix.add(line, linked=shown)
        if shown:
            self._failures += 1
            yield 0, failure(line, self._request) + "\n"

    def document(self, summary: Summary, sections: Sections) -> Iterator[Piece]:
        """Yield the head of the page with its tables, the failures, and its foot."""
        yield self._opening(summary).encode()
        yield from sections.pieces(0)
        yield closing(f"Job {summary.job.id} · exported {moment(summary.made_at)}").encode()

    def _opening(self, summary: Summary) -> str:
        name = plain(job_name(summary.job))
        body = join(
            [
                tag("h1", name),
                tag("p", _about(summary), cls="meta"),
                _warning(summary),
                tag("h3", "Permutations, best first"),
                best_table(summary, notes=self._notes()),
                tag("h3", "Every run"),
                self._matrix.table(summary),
                tag("h3", "Figures"),
                overall_table(summary),
                tag("h3", "Permutations in detail"),
                parts_table(summary.by_permutation, "Permutation", partly=summary.partly),
                *_languages(summary),
                *_cases(summary),
                *self._failed(summary),
            ]
        )
        return opening(f"{name} – batch job", REPORT_STYLE, OWN_STYLE, body=body) + "\n"

    def _notes(self) -> dict[str, str]:
        """Return what is said of each permutation: how its model is asked, and which one answered."""
        found = {}
        for permutation in self._request.permutations:
            told = [permutation.summary, permutation.tool_selector.plugin_group_name]
            if answered := self._answered.get(permutation.name):
                told.append(f"answered by {', '.join(answered)}")
            found[permutation.name] = ", ".join(told)
        return found

    def _failed(self, summary: Summary) -> list[Html | None]:
        failed = summary.figures.failed_cases
        if not failed:
            return []
        left_out = f"The first {self._failures} of {failed} are shown; the CSV report has all of them."
        return [
            tag("h3", "What did not pass"),
            tag("p", left_out, cls="meta") if failed > self._failures else None,
        ]


def _about(summary: Summary) -> str:
    job = summary.job
    parts = [
        None if summary.partly else f"{job.total_runs:,} runs",
        None if summary.partly else job.state,
        f"plugin under test {plain(summary.request.test_plugin.manifest_url)}",
        f"begun {moment(job.started_on)}" if job.started_on else None,
        f"ended {moment(job.completed_on)}" if job.completed_on else None,
    ]
    return " · ".join(part for part in parts if part)


def _warning(summary: Summary) -> Html | None:
    job = summary.job
    done = f"{job.state}: {summary.figures.total_test_cases:,} of {job.total_runs:,} runs were done"
    if summary.unfinished:
        done += "; the job has not ended, and these are its results so far"
    if job.error is not None:
        done += f"; the job failed ({job.error.code}): {job.error.message}"
    return tag("p", plain(done), cls="warning") if summary.partly or summary.unfinished or job.error else None


def _languages(summary: Summary) -> list[Html]:
    if len(summary.by_language) < 2:
        return []
    return [tag("h3", "Languages"), parts_table(summary.by_language, "Language", partly=summary.partly)]


def _cases(summary: Summary) -> list[Html]:
    if isinstance(summary.by_test_case, int):
        return []
    return [tag("h3", "Test cases"), parts_table(summary.by_test_case, "Test case", partly=summary.partly)]
