"""The table of a result's runs: a line for each scenario as it was played, a column for each number."""

from dataclasses import dataclass

from server.engine.evaluator.judging.verdicts import Verdict
from server.engine.evaluator.reports.figures import verdict_of
from server.engine.evaluator.reports.report import Line
from server.engine.evaluator.reports.words import WORDS, reason_of
from server.engine.reports.markup import Html, tag
from server.engine.reports.tables import row, table
from server.engine.reports.words import plain

MAX_TITLE = 200
SIGNS: dict[Verdict, tuple[str, str]] = {
    "success": ("✓", "yes"),
    "no_success": ("✗", "no"),
    "simulator_error": ("caller", "soft"),
    "not_judged": ("?", "soft"),
    "broken": ("broke", "no"),
    "cancelled": ("–", "soft"),
    "unfinished": ("…", "soft"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """What the table shows of a run."""

    run: int
    verdict: Verdict
    title: str
    score: float | None
    linked: bool


class Matrix:
    """Holds a small cell of every run."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, int | None, int | None], tuple[str, dict[int, Cell]]] = {}
        self._columns = 1

    def add(self, line: Line, *, linked: bool) -> None:
        """Take note of a run; `linked` says that its details are on the page."""
        plan, judgement = line.run.plan, line.run.judgement
        name = " · ".join((line.scenario, *line.played))
        key = plan.scenario, plan.personality, plan.test_profile
        _, cells = self._rows.setdefault(key, (name, {}))
        expected = judgement.expected_outcome if judgement else None
        number = plan.number or 1
        cells[number] = Cell(
            run=line.run.id,
            verdict=verdict_of(line.run),
            title=reason_of(line.run)[:MAX_TITLE],
            score=expected.score if expected else None,
            linked=linked,
        )
        self._columns = max(self._columns, number)

    def table(self) -> Html:
        """Return the table."""
        numbers = range(1, self._columns + 1)
        rows = [
            row(plain(name), [_cell(cells.get(number)) for number in numbers])
            for name, cells in self._rows.values()
        ]
        heads = [str(number) for number in numbers] if self._columns > 1 else ["Run"]
        return table(["Scenario", *heads], rows, cls="numbers matrix")


def _cell(cell: Cell | None) -> Html:
    if cell is None:
        return Html("")
    sign, kind = SIGNS[cell.verdict]
    text = sign if cell.score is None else f"{sign} {cell.score:g}"
    title = f"run {cell.run}, {WORDS[cell.verdict]}: {plain(cell.title)}"
    if cell.linked:
        return tag("a", text, href=f"#run-{cell.run}", title=title, cls=kind)
    return tag("span", text, title=title, cls=kind)
