"""What `batch` shows: a live table in a terminal, a line for each result elsewhere."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from schemas.envelope import JsonObject
from server.cli.batch_figures import Count, Estimate, Figures
from server.cli.batch_reasons import Reasons
from server.cli.chat_panels import plain
from server.cli.words import short

STYLES = {"Passed": "green", "Failed": "yellow", "Error": "red"}
MOST_ROWS = 20
LONGEST_REASON = 2_000
LONGEST_LIVE = 300  # of a reason, where there is little room
HEAD = (
    *("permutation", "passed", "failed", "errors"),
    *("score\nmean", "seconds\nmean", "tokens\nsum", "USD\nsum"),
)
NAME_WIDTH = 12  # the whole then fits 80 columns


class BatchScreen:
    """Shows how a job is doing; with `quiet` only its end, and on stderr."""

    def __init__(self, *, quiet: bool) -> None:
        self.figures = Figures()
        self._quiet = quiet
        self._console = Console(stderr=quiet, highlight=False, markup=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._console,
        )
        self._task = self._progress.add_task("runs", total=None, left="")
        self._total: int | None = None
        self._reasons = Reasons(None)
        self._estimate = Estimate(None, 0.0)
        self._live: Live | None = None

    @contextmanager
    def showing(self, total: int | None, *, job: str | None) -> Iterator[None]:
        """Show the job's results as they come, until it ends; `job` is None for one begun before."""
        self._total = total
        self._reasons = Reasons(job)
        self._estimate = Estimate(total if job else None, time.monotonic())
        self._progress.update(self._task, total=total)
        if not self._console.is_terminal:
            yield
            return
        live = Live(console=self._console, get_renderable=self._now, refresh_per_second=8, transient=True)
        with live:
            yield

    def result(self, result: JsonObject) -> None:
        """Show a result."""
        self.figures.add(result)
        self._estimate.add(result)
        self._progress.update(self._task, completed=self.figures.total.runs)
        if not (self._console.is_terminal or self._quiet):
            count = f"{self.figures.total.runs}/{self._total or '?'}"
            self._console.print(Text(f"{count:>9}  ").append(self._line(result)), soft_wrap=True)

    def note(self, text: str) -> None:
        """Say something of our own."""
        self._console.print(Text(plain(text), style="dim"), soft_wrap=True)

    def summary(self, summary: JsonObject) -> None:
        """Show what a job came to, and why runs failed."""
        self._console.print(table_of(self.figures))
        if self._console.is_terminal or self._quiet:  # elsewhere they stand above
            self._failures()
        for line in _ending(summary, self._total):
            self._console.print(Text(line), soft_wrap=True)

    def _failures(self) -> None:
        for result in self.figures.failures:
            self._console.print(self._line(result), soft_wrap=not self._console.is_terminal)
        more = self.figures.total.failed + self.figures.total.errors - len(self.figures.failures)
        if more > 0:
            self.note(f"… and {more} more that failed")

    def _now(self) -> RenderableType:
        """Return what there is now; what a small terminal cuts off are the newest results."""
        self._progress.update(self._task, left=left_in_words(self._estimate.left(time.monotonic())))
        lines = [self._line(result, longest=LONGEST_LIVE) for result in self.figures.last]
        return Group(table_of(self.figures), self._progress, *lines)

    def _line(self, result: JsonObject, *, longest: int = LONGEST_REASON) -> Text:
        return line_of(result, reason=short(self._reasons.of(result), longest=longest))


def left_in_words(seconds: float | None) -> str:
    """Return how long a job may take yet, for people; "" when that is not known."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"about {hours}:{minutes:02}:{rest:02} left"


def table_of(figures: Figures) -> Table:
    """Return a row for each permutation and one for all of them."""
    table = Table(show_footer=True)
    first, *others = zip(HEAD, _row("all", figures.total), strict=True)
    table.add_column(*first, min_width=NAME_WIDTH)
    for name, total in others:
        table.add_column(name, total, justify="right")
    rows = list(figures.by_permutation.items())
    for name, count in rows[:MOST_ROWS]:
        answered = f" (answered by {short(', '.join(count.answered_by))})" if count.answered_by else ""
        table.add_row(*_row(f"{short(name)}{answered}", count))
    if len(rows) > MOST_ROWS:
        table.add_row(f"… and {len(rows) - MOST_ROWS} more")
    return table


def line_of(result: JsonObject, *, reason: str) -> Text:
    """Return a result in a line, with the reason why it has not passed."""
    line = Text(f"{result['verdict']:6}", style=STYLES.get(result["verdict"], ""))
    parts: Sequence[str] = (result["permutation_name"], result["test_case_name"], result["language"])
    line.append(f"  {' · '.join(map(short, parts))}", style="default")
    line.append(f"  {result['match_score']:.2f}  {result['response_time_sec']:.2f} s", style="default")
    if reason:
        line.append(f"  {reason}", style="dim")
    return line


def _row(name: str, count: Count) -> list[str]:
    seconds = f"{count.seconds / count.completed:.2f}" if count.completed else "–"
    figures = (f"{count.score / max(count.runs, 1):.2f}", seconds, f"{count.tokens}")
    counts = map(str, (count.passed, count.failed, count.errors))
    return [name, *counts, *figures, f"{count.cost:.4f}"]


def _ending(summary: JsonObject, total: int | None) -> Iterator[str]:
    figures = summary["summary"]
    runs = figures["total_test_cases"]
    cached = f"; answers from the cache: {figures['cached_calls']}" if figures.get("cached_calls") else ""
    passed = f"{runs - figures['failed_cases']} of {runs} runs passed ({figures['overall_accuracy']:g} %)"
    took = f"in {figures['total_run_time']:g} s"
    done = f"{runs} of {total} runs were done, " if total and runs < total else ""
    yield f"{short(summary['job_name'])} is {summary['status']}: {done}{passed} {took}{cached}"
    if summary.get("error"):
        yield short(summary["error"]["message"])
    yield f"job {summary['job_id']}"
