"""A batch job as JUnit XML, which build servers read: a suite per permutation, a case per run."""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from schemas.batch import BatchRequest, PartSummary
from schemas.envelope import iso
from server.engine.batch.report import Line, Summary
from server.engine.batch.report_missing import Missing
from server.engine.batch.report_words import chosen, expected, notes
from server.engine.reports.junit import HEAD, attributes, class_of, properties
from server.engine.reports.sections import Piece, Sections
from server.engine.reports.words import plain


class JunitReport:
    """Suites: a failed result is a failure, one that did not come to its end an error.

    Runs without a result are skipped, and that the job itself failed is an error in a suite of its own.
    """

    def __init__(self, request: BatchRequest) -> None:
        self._request = request
        self._times = [0.0 for _ in request.permutations]
        self._missing = Missing(request)

    def sections(self) -> int:
        """Return how many sections there may be."""
        return len(self._request.permutations)

    def add(self, line: Line) -> Iterator[tuple[int, str]]:
        """Return a case."""
        result = line.result
        self._times[line.permutation] += result.response_time_sec
        self._missing.seen(line)
        named = {
            "name": f"{result.test_case_name} [{result.language}]",
            "classname": class_of(result.permutation_name),
            "time": f"{result.response_time_sec:.3f}",
        }
        told = escape(plain("\n".join(_told(line, self._request))))
        verdict = self._verdict(line)
        yield (
            line.permutation,
            f"<testcase{attributes(named)}>{verdict}<system-out>{told}</system-out></testcase>\n",
        )

    def document(self, summary: Summary, sections: Sections) -> Iterator[Piece]:
        """Yield the suites with their sums."""
        suites = [self._sums(part, place) for place, part in enumerate(summary.by_permutation)]
        failed = _job_failed(summary)
        sums = _added([*suites, failed[0]] if failed else suites)
        yield f"{HEAD}<testsuites{attributes({'name': summary.job.name, **sums.told()})}>\n".encode()
        for place, part in enumerate(summary.by_permutation):
            for case in self._missing.cases(place, state=summary.job.state):
                sections.add(place, case)
            yield self._opening(summary, part, place).encode()
            yield from sections.pieces(place)
            yield b"</testsuite>\n"
        if failed:
            yield failed[1].encode()
        yield b"</testsuites>\n"

    def _sums(self, part: PartSummary, place: int) -> "_Sums":
        """Return the sums of a suite: of its results, and of the cases that stand for missing ones."""
        count = self._missing.count(place)
        one = int(self._missing.too_many and count > 0)
        skipped = 0 if one else count
        return _Sums(
            tests=part.total + skipped + one,
            failures=part.failed,
            errors=part.errors + one,
            skipped=skipped,
            time=self._times[place],
        )

    def _opening(self, summary: Summary, part: PartSummary, place: int) -> str:
        named = {
            "name": part.name,
            "id": str(place),
            "timestamp": _timestamp(summary),
            **self._sums(part, place).told(),
        }
        values = {
            "job_id": summary.job.id,
            "status": summary.job.state,
            "summary": self._request.permutations[place].summary,
            "accuracy": f"{part.accuracy:g}",
            "average_match_score": f"{part.average_match_score:g}",
            "total_llm_tokens_used": str(part.total_llm_tokens_used),
            "total_llm_api_cost": f"{part.total_llm_api_cost:g}",
        }
        return f"<testsuite{attributes(named)}>\n{properties(values.items())}"

    def _verdict(self, line: Line) -> str:
        """Return what keeps a case from having passed."""
        result = line.result
        if result.verdict == "Passed":
            return ""
        lines = ["expected:", *expected(line.case, self._request), "chosen:", *chosen(result)]
        told = escape(plain("\n".join(lines)))
        if result.verdict == "Failed":
            head = attributes({"message": f"match score {result.match_score:g}", "type": "Failed"})
            return f"<failure{head}>{told}</failure>"
        error = result.error
        head = attributes(
            {
                "message": error.message if error else "The run failed.",
                "type": error.code if error else "Error",
            }
        )
        return f"<error{head}>{told}</error>"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    """The sums of a suite, or of all."""

    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    time: float = 0.0

    def told(self) -> dict[str, str]:
        counts = {name: str(getattr(self, name)) for name in ("tests", "failures", "errors", "skipped")}
        return {**counts, "time": f"{self.time:.3f}"}


def _added(suites: list[_Sums]) -> _Sums:
    return _Sums(
        tests=sum(s.tests for s in suites),
        failures=sum(s.failures for s in suites),
        errors=sum(s.errors for s in suites),
        skipped=sum(s.skipped for s in suites),
        time=sum(s.time for s in suites),
    )


def _job_failed(summary: Summary) -> tuple[_Sums, str] | None:
    """Return a suite that says why the job failed, with its sums; None when it did not."""
    if summary.job.state != "failed":
        return None
    error, sums = summary.job.error, _Sums(tests=1, errors=1)
    named = {"name": "job", "timestamp": _timestamp(summary), **sums.told()}
    head = {
        "message": error.message if error else "The job failed.",
        "type": error.code if error else "failed",
    }
    case = attributes({"name": "the job came to its end", "classname": "job", "time": "0.000"})
    return sums, (
        f"<testsuite{attributes(named)}>\n<testcase{case}><error{attributes(head)}/></testcase>\n</testsuite>\n"
    )


def _timestamp(summary: Summary) -> str:
    return iso(summary.job.started_on or summary.job.created_at).partition(".")[0]


def _told(line: Line, request: BatchRequest) -> Iterator[str]:
    result = line.result
    yield from notes(line, request)
    yield f"prompt: {result.prompt}"
    if result.final_output is not None:
        yield f"final_output: {result.final_output}"
