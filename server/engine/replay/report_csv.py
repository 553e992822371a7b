"""A report as CSV: one row for each run and cycle."""

from dataclasses import asdict

from schemas.envelope import iso
from schemas.test import Invocation, Recording, Run
from server.engine.replay.figures import latest_grade, outcome_of, run_figures
from server.engine.replay.report import Part, Summary
from server.engine.replay.report_words import feedback_of, model_of
from server.engine.reports.cells import csv_line

FIGURES = (
    *("first_token_ms", "duration_ms", "prompt_tokens", "completion_tokens", "cost_usd"),
    *("tool_calls", "matched_calls", "recorded_calls"),
)
REPORT_COLUMNS = (
    *("test_id", "invocation_id", "agent", "model", "original_id", "name", "position", "cycle"),
    *("id", "run_id", "state", "outcome", "score", "total_points", "pass_points", "percentage", "passed"),
    *("feedback", *FIGURES, "error_code", "error", "started_at", "finished_at"),
)


class CsvReport:
    """Rows in which no cell begins a formula: what could is preceded by an apostrophe."""

    talks = False
    recordings = False
    between = ""

    def opening(self, summary: Summary) -> str:
        """Return the names of the columns."""
        return csv_line(REPORT_COLUMNS)

    def invocation(self, summary: Summary, part: Part) -> str:
        """Return nothing: every row names its invocation."""
        return ""

    def run(self, invocation: Invocation, run: Run, recording: Recording | None) -> str:
        """Return a row."""
        grade, result = latest_grade(run), run.result
        row: dict[str, object] = {
            "test_id": run.test_id,
            "invocation_id": run.invocation_id,
            "agent": invocation.agent.name,
            "model": model_of(invocation),
            "original_id": run.original_id,
            "name": run.name,
            "position": run.position,
            "cycle": run.cycle,
            "id": run.id,
            "run_id": run.replay_id,
            "state": run.state,
            "outcome": outcome_of(run),
            "score": grade.score if grade else None,
            "total_points": grade.total_points if grade else None,
            "pass_points": grade.pass_points if grade else None,
            "percentage": grade.percentage if grade else None,
            "passed": grade.passed if grade else None,
            "feedback": feedback_of(run),
            **asdict(run_figures(run)),
            "error_code": result.code if result else None,
            "error": result.error if result else None,
            "started_at": iso(run.started_at) if run.started_at else None,
            "finished_at": iso(result.finished_at) if result else None,
        }
        return csv_line(row[name] for name in REPORT_COLUMNS)

    def invocation_end(self) -> str:
        """Return nothing."""
        return ""

    def middle(self) -> str:
        """Return nothing."""
        return ""

    def recording(self, recording: Recording) -> str:
        """Return nothing."""
        return ""

    def closing(self, summary: Summary) -> str:
        """Return nothing."""
        return ""
