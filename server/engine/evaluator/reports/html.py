"""A result as one page to read and to print: a table of its runs, and each with what was said and thought."""

from collections.abc import Iterator
from pathlib import Path

from server.engine.evaluator.judging.verdicts import Verdict
from server.engine.evaluator.reports.figures import verdict_of
from server.engine.evaluator.reports.matrix import Matrix
from server.engine.evaluator.reports.report import Line, Summary
from server.engine.evaluator.reports.run import run_section
from server.engine.evaluator.reports.tables import (
    figures_table,
    metrics_table,
    powers_table,
    reasons_table,
    scenarios_table,
)
from server.engine.reports.markup import Html, join, tag
from server.engine.reports.page import REPORT_STYLE, closing, moment, opening
from server.engine.reports.sections import Piece, Sections
from server.engine.reports.words import plain

OWN_STYLE = Html(Path(__file__).with_suffix(".css").read_text())
MAX_DETAILS = 8_000_000  # characters of runs without success, and as many of those with it
POWERS = (
    "pass^k is the chance that k runs of one scenario all succeed; the mean over the scenarios. Calls that "
    "broke, cancelled runs and mistakes of the caller are left out."
)
UNRELIABLE = (
    "The runs were judged by a small model that chats, but is no judge: take what it says as an example."
)
FAILED, PASSED = 0, 1


class HtmlReport:
    """A whole HTML document that loads nothing; every text in it is escaped.

    Runs without success come first. Of very many the first are shown in full, and all of them in the table.
    """

    def __init__(self, scenarios: int) -> None:
        self._matrix = Matrix()
        self._sizes = [0, 0]
        self._left_out = 0

    def sections(self) -> int:
        """Return how many sections there may be."""
        return 2

    def add(self, line: Line) -> Iterator[tuple[int, str]]:
        """Return the details of a run, while there are not too many."""
        place = PASSED if verdict_of(line.run) == "success" else FAILED
        shown = self._sizes[place] < MAX_DETAILS
        self._matrix.add(line, linked=shown)
        if shown:
            text = run_section(line) + "\n"
            self._sizes[place] += len(text)
            yield place, text
        else:
            self._left_out += 1

    def document(self, summary: Summary, sections: Sections) -> Iterator[Piece]:
        """Yield the head of the page with its tables, the runs, and its foot."""
        yield self._opening(summary).encode()
        for place, heading in ((FAILED, "Without success"), (PASSED, "With success")):
            if pieces := sections.pieces(place):
                yield tag("h2", heading, id=("failed", "passed")[place]).encode()
                yield from pieces
        yield closing(f"Result {summary.result.id} · exported {moment(summary.made_at)}").encode()

    def _opening(self, summary: Summary) -> str:
        figures = summary.figures
        body = join(
            [
                tag("h1", plain(summary.result.name)),
                tag("p", plain(_about(summary)), cls="meta"),
                tag("p", UNRELIABLE, cls="warning") if not figures.reliable else None,
                _broken(summary),
                tag("h3", "Runs"),
                self._matrix.table(),
                tag("p", f"{self._left_out:,} runs are only in this table.", cls="meta")
                if self._left_out
                else None,
                tag("h3", "Scenarios"),
                scenarios_table(summary),
                *_headed("All of k runs succeeded", powers_table(figures.pass_hat_k), POWERS),
                *_headed("Metrics", metrics_table(figures.metrics)),
                tag("h3", "Figures"),
                figures_table(figures),
                *_headed("How runs ended", reasons_table(figures.reasons)),
            ]
        )
        title = f"{plain(summary.result.name)} – evaluation"
        return opening(title, REPORT_STYLE, OWN_STYLE, body=body) + "\n"


def _headed(heading: str, part: Html | None, note: str | None = None) -> list[Html]:
    if part is None:
        return []
    return [tag("h3", heading), *([tag("p", note, cls="meta")] if note else []), part]


def _about(summary: Summary) -> str:
    result, whole = summary.result, summary.figures.whole
    parts = [
        f"{whole.verdicts['success']:,} of {whole.runs:,} runs succeeded ({whole.success_rate:.1f}%)",
        f"agent {summary.agent}",
        result.status.replace("_", " "),
        f"begun {moment(result.started_at)}" if result.started_at else None,
        f"ended {moment(result.ended_at)}" if result.ended_at else None,
    ]
    return " · ".join(part for part in parts if part)


def _broken(summary: Summary) -> Html | None:
    """Say what keeps the success rate from being that of the agent."""
    verdicts = summary.figures.whole.verdicts
    told: dict[Verdict, str] = {
        "broken": "calls that broke",
        "simulator_error": "mistakes of the caller, not of the agent",
        "not_judged": "runs that could not be judged",
        "cancelled": "cancelled runs",
        "unfinished": "runs that have not ended",
    }
    found = [f"{text}: {verdicts[name]:,}" for name, text in told.items() if verdicts[name]]
    return tag("p", f"Not counted as success – {', '.join(found)}.", cls="warning") if found else None
