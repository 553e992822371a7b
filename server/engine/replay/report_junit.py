"""A report as JUnit XML, which build servers read: a suite for each agent, a case for each run and cycle."""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from schemas.envelope import iso
from schemas.test import Invocation, Recording, Run
from server.engine.replay.figures import Figures, latest_grade, outcome_of, run_figures
from server.engine.replay.report import Part, Summary
from server.engine.replay.report_words import feedback_of, model_of, score_of, title_of
from server.engine.reports.junit import HEAD, attributes, class_of, properties
from server.engine.reports.words import plain


class JunitReport:
    """Suites: a grade that is not passed is a failure, a failed run an error, the rest skipped."""

    talks = False
    recordings = False
    between = ""

    def opening(self, summary: Summary) -> str:
        """Return the sums of all suites."""
        name = {"name": summary.test.benchmark.name}
        return f"{HEAD}<testsuites{attributes({**name, **_sums(summary.figures)})}>\n"

    def invocation(self, summary: Summary, part: Part) -> str:
        """Return the beginning of a suite with its properties."""
        invocation, figures = part.invocation, part.figures
        named = {
            "name": invocation.agent.name,
            "id": str(invocation.position),
            "timestamp": iso(invocation.created_at).partition(".")[0],
            **_sums(figures),
            "skipped": str(figures.outcomes["ungraded"] + figures.outcomes["unfinished"]),
        }
        return f"<testsuite{attributes(named)}>\n{properties(_properties(summary, part))}"

    def run(self, invocation: Invocation, run: Run, recording: Recording | None) -> str:
        """Return a case."""
        named = {
            "name": title_of(run),
            "classname": class_of(invocation.agent.name),
            "time": _seconds(run_figures(run).duration_ms or 0),
        }
        notes = escape(plain("\n".join(_notes(run))))
        return f"<testcase{attributes(named)}>{_verdict(run)}<system-out>{notes}</system-out></testcase>\n"

    def invocation_end(self) -> str:
        """Close a suite."""
        return "</testsuite>\n"

    def middle(self) -> str:
        """Return nothing."""
        return ""

    def recording(self, recording: Recording) -> str:
        """Return nothing."""
        return ""

    def closing(self, summary: Summary) -> str:
        """Close the report."""
        return "</testsuites>\n"


def _verdict(run: Run) -> str:
    """Return what keeps a case from having passed."""
    outcome, grade, result = outcome_of(run), latest_grade(run), run.result
    if outcome == "passed":
        return ""
    if outcome == "not_passed" and grade is not None:
        head = attributes({"message": score_of(grade), "type": outcome})
        return f"<failure{head}>{escape(plain(feedback_of(run)))}</failure>"
    if outcome == "failed":
        message = (result.error if result else None) or "The replay failed."
        head = attributes({"message": message, "type": (result.code if result else None) or outcome})
        return f"<error{head}>{escape(plain(message))}</error>"
    why = "The replay is not graded." if outcome == "ungraded" else f"The replay is {run.state}."
    return f"<skipped{attributes({'message': why})}/>"


def _notes(run: Run) -> Iterator[str]:
    figures, grade = run_figures(run), latest_grade(run)
    yield f"id: {run.id}"
    yield f"original_id: {run.original_id}"
    if run.replay_id:
        yield f"run_id: {run.replay_id}"
    if grade is not None:
        yield f"score: {score_of(grade)}"
    if run.result is not None:
        yield f"tokens: {figures.prompt_tokens} read, {figures.completion_tokens} written"
        yield f"tool calls: {figures.tool_calls} made, {figures.matched_calls} as recorded"
        yield f"cost_usd: {'unknown' if figures.cost_usd is None else f'{figures.cost_usd:g}'}"
        if figures.first_token_ms is not None:
            yield f"first_token_ms: {figures.first_token_ms:g}"


def _properties(summary: Summary, part: Part) -> Iterator[tuple[str, str]]:
    figures, invocation = part.figures, part.invocation
    yield "test_id", summary.test.id
    yield "invocation_id", invocation.id
    yield "benchmark", summary.test.benchmark.name
    yield "model", model_of(invocation)
    yield "mode", invocation.mode
    yield "cycles", str(figures.cycles)
    for power in figures.pass_k:
        yield f"pass^{power.k}", f"{power.value:.6f}"
    yield "prompt_tokens", str(figures.usage.prompt_tokens)
    yield "completion_tokens", str(figures.usage.completion_tokens)
    numbers = {
        "pass_rate": figures.pass_rate,
        "percentage.mean": figures.percentage.mean if figures.percentage else None,
        "cost_usd": figures.usage.cost_usd,
        "grading.cost_usd": figures.grading.cost_usd,
        "tool_calls.match_rate": figures.tool_calls.match_rate,
        "duration_ms.p50": figures.duration_ms.p50 if figures.duration_ms else None,
        "duration_ms.p95": figures.duration_ms.p95 if figures.duration_ms else None,
        "first_token_ms.p50": figures.first_token_ms.p50 if figures.first_token_ms else None,
        "first_token_ms.p95": figures.first_token_ms.p95 if figures.first_token_ms else None,
    }
    for name, number in numbers.items():
        if number is not None:
            yield name, f"{number:.6g}"


def _sums(figures: Figures) -> dict[str, str]:
    return {
        "tests": str(figures.runs),
        "failures": str(figures.outcomes["not_passed"]),
        "errors": str(figures.outcomes["failed"]),
        "time": _seconds(figures.total_ms),
    }


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.3f}"
