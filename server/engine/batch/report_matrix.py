"""The matrix of a batch job: a line per test case, a column per permutation, a table per language."""

from dataclasses import dataclass

from schemas.batch import BatchRequest, Verdict
from server.engine.batch.report import Line, Summary
from server.engine.reports.markup import Html, join, tag
from server.engine.reports.tables import row, table
from server.engine.reports.words import plain

MAX_CELLS = 10_000
MAX_COLUMNS = 25
MAX_LANGUAGES = 20
SIGNS: dict[Verdict, tuple[str, str]] = {
    "Passed": ("✓", "yes"),
    "Failed": ("✗", "no"),
    "Error": ("error", "no"),
}
WAITING = "…"


@dataclass(frozen=True, slots=True)
class Cell:
    """What the matrix shows of a run."""

    verdict: Verdict
    score: float
    index: int
    linked: bool


class Matrix:
    """Holds the cells of the first test cases, permutations and languages of a job, and no others."""

    def __init__(self, request: BatchRequest) -> None:
        self._request = request
        self._columns = min(len(request.permutations), MAX_COLUMNS)
        self._languages = min(len(request.languages), MAX_LANGUAGES)
        self._lines = min(len(request.test_cases), MAX_CELLS // (self._columns * self._languages))
        self._cells: dict[tuple[int, int, int], Cell] = {}

    def add(self, line: Line, *, linked: bool) -> None:
        """Take note of a result; `linked` says that its details are on the page."""
        if line.permutation < self._columns and line.language < self._languages and line.place < self._lines:
            result = line.result
            cell = Cell(result.verdict, result.match_score, result.index, linked)
            self._cells[line.language, line.place, line.permutation] = cell

    def table(self, summary: Summary) -> Html:
        """Return the tables, and what is left out of them."""
        left_out = self._left_out()
        parts: list[Html] = [tag("p", left_out, cls="meta")] if left_out else []
        for place, language in enumerate(summary.languages[: self._languages]):
            parts += [tag("h4", plain(language)), self._table(place)]
        return join(parts)

    def _table(self, language: int) -> Html:
        columns = range(self._columns)
        rows = [
            row(
                plain(self._request.test_cases[place].name),
                [self._cell((language, place, column)) for column in columns],
            )
            for place in range(self._lines)
        ]
        heads = [plain(self._request.permutations[column].name) for column in columns]
        return table(["Test case", *heads], rows, cls="numbers matrix")

    def _cell(self, key: tuple[int, int, int]) -> Html:
        cell = self._cells.get(key)
        if cell is None:
            return tag("span", WAITING, cls="soft", title="no result yet")
        sign, kind = SIGNS[cell.verdict]
        text = f"{sign} {cell.score:.2f}"
        title = f"{cell.verdict}, match score {cell.score:g}"
        if cell.linked:
            return tag("a", text, href=f"#result-{cell.index}", title=title, cls=kind)
        return tag("span", text, title=title, cls=kind)

    def _left_out(self) -> str | None:
        shown = (
            (self._lines, len(self._request.test_cases), "test cases"),
            (self._columns, len(self._request.permutations), "permutations"),
            (self._languages, len(self._request.languages), "languages"),
        )
        parts = [f"the first {some:,} of {every:,} {what}" for some, every, what in shown if some < every]
        if not parts:
            return None
        return f"Shown are {', '.join(parts)}; the CSV report has all results."
