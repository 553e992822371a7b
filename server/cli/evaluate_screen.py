"""What `evaluate` shows: a live table in a terminal, a line for each run elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from schemas.envelope import JsonObject
from server.cli.chat_link import Event
from server.cli.chat_panels import plain
from server.cli.evaluate_figures import Count, Figures, reasons_of, word_of
from server.cli.words import short

STYLES = {"succeeded": "green", "failed": "yellow", "caller erred": "magenta", "broken": "red"}
HEAD = ("scenario", "succeeded", "failed", "caller\nerred", "broken", "seconds\nmean")
NAME_WIDTH = 20  # the whole then fits 80 columns
MOST_ROWS = 20
MOST_TALKING = 5
LONGEST_REASON = 300
UNJUDGED = (
    "there is no expected_outcome_prompt and no metric with a pass rule, so a call that comes about succeeds"
)


class EvaluateScreen:
    """Shows how the runs of a result are doing; with `quiet` only its end, and on stderr."""

    def __init__(self, *, quiet: bool) -> None:
        self.figures = Figures()
        self._quiet = quiet
        self._console = Console(stderr=quiet, highlight=False, markup=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._task = self._progress.add_task("runs", total=None)
        self._names: Mapping[int, str] = {}
        self._live: Live | None = None

    @contextmanager
    def showing(self, names: Mapping[int, str]) -> Iterator[None]:
        """Show what is heard of runs, whose names are given by their ids, until the result has ended."""
        self._names = names
        self._progress.update(self._task, total=len(names))
        if not self._console.is_terminal:
            yield
            return
        live = Live(console=self._console, get_renderable=self._now, refresh_per_second=8, transient=True)
        with live:
            yield

    def hear(self, event: Event) -> None:
        """Show what the result's room tells."""
        if event.name == "run_started":
            self.figures.begin(event.data["run_id"])
        elif event.name == "run_turn":
            self.figures.hear(event.data)
        elif event.name == "run_ended":
            self._ended(event.data)

    def note(self, text: str) -> None:
        """Say something of our own."""
        self._console.print(Text(plain(text), style="dim"), soft_wrap=True)

    def unjudged(self, names: Sequence[str], *, was: bool) -> None:
        """Say in which scenarios nothing is judged, or was."""
        if names:
            told = ", ".join(f"“{short(name)}”" for name in names[:MOST_ROWS])
            more = f" and {len(names) - MOST_ROWS} more" if len(names) > MOST_ROWS else ""
            self.note(f"nothing {'was' if was else 'is'} judged in {told}{more}: {UNJUDGED}")

    def reason(self, run: JsonObject) -> None:
        """Show why a run, as it is read, has not succeeded."""
        line = self._line(run, run_id=run["id"])
        for reason in reasons_of(run):
            line.append(f"\n    {short(reason, longest=LONGEST_REASON)}", style="dim")
        self._console.print(line, soft_wrap=not self._console.is_terminal)

    def summary(self, result: JsonObject) -> None:
        """Show what a result came to."""
        self._console.print(table_of(self.figures))
        for line in _ending(result):
            self._console.print(Text(line), soft_wrap=True)

    def _ended(self, ended: JsonObject) -> None:
        name = self._name(ended["run_id"]).rpartition(" #")
        if not self.figures.end(ended, scenario=name[0] or name[2]):
            return
        self._progress.update(self._task, completed=self.figures.total.runs)
        if not (self._console.is_terminal or self._quiet):
            count = f"{self.figures.total.runs}/{len(self._names)}"
            line = Text(f"{count:>9}  ").append(self._line(ended, run_id=ended["run_id"]))
            line.append(f"  {ended['duration']:.1f} s  {ended.get('ended_reason', '')}", style="default")
            self._console.print(line, soft_wrap=True)

    def _line(self, run: JsonObject, *, run_id: int) -> Text:
        word = word_of(run)
        return Text(f"{word:12}", style=STYLES[word]).append(f"  {self._name(run_id)}", style="default")

    def _name(self, run_id: int) -> str:
        return short(self._names.get(run_id, f"run {run_id}"))

    def _now(self) -> RenderableType:
        """Return what there is now; what a small terminal cuts off are the calls that go on."""
        talking = list(self.figures.talking.items())[-MOST_TALKING:]
        lines = [
            Text(f"{self._name(run)}  {short(said)}", style="dim", no_wrap=True) for run, said in talking
        ]
        return Group(table_of(self.figures), self._progress, *lines)


def table_of(figures: Figures) -> Table:
    """Return a row for each scenario and one for all of them."""
    table = Table(show_footer=True)
    first, *others = zip(HEAD, _row("all", figures.total), strict=True)
    table.add_column(*first, min_width=NAME_WIDTH)
    for name, total in others:
        table.add_column(name, total, justify="right")
    rows = list(figures.by_scenario.items())
    for name, count in rows[:MOST_ROWS]:
        table.add_row(*_row(short(name), count))
    if len(rows) > MOST_ROWS:
        table.add_row(f"… and {len(rows) - MOST_ROWS} more")
    return table


def _row(name: str, count: Count) -> list[str]:
    counts = map(str, (count.succeeded, count.failed, count.erred, count.broken))
    return [name, *counts, f"{count.seconds / count.runs:.1f}" if count.runs else "–"]


def _ending(result: JsonObject) -> Iterator[str]:
    runs, succeeded = result["total_runs_count"], result["success_runs_count"]
    rate = f"{result['success_rate']:g} %"
    yield f"result {result['id']} is {result['status']}: {succeeded} of {runs} runs succeeded ({rate})"
    if erred := result["simulator_errors_count"]:
        yield f"our caller erred in {erred} of them, which says nothing of the agent"
    if result["pass_hat_k"]:
        rates = ", ".join(f"{k}: {rate:.2f}" for k, rate in enumerate(result["pass_hat_k"], start=1))
        yield f"pass^k: {rates}"
