"""From rounds to the figures that have goals."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.fanout.figures import Figure
from bench.retrieval.asking import AT_ONCE
from bench.retrieval.measure import Indexed, Searched

Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One server's round; `first` is the milliseconds of the first answer."""

    indexed: Indexed
    searched: Searched
    first: float = 0.0


@dataclass
class Figures:
    """Everything measured, one item a round."""

    count: int
    ours: list[Round] = field(default_factory=list)
    bare: list[Round] = field(default_factory=list)

    def table(self) -> list[Cells]:
        """Return medians of both, side by side."""
        rows: list[tuple[str, Callable[[Round], float], str]] = [
            (f"{self.count:,} passages indexed in", lambda r: r.indexed.wall, " s"),
            ("passages a second", lambda r: self.count / r.indexed.wall, ""),
            ("CPU to index", lambda r: r.indexed.server, " s"),
            ("of mongod meanwhile", lambda r: r.indexed.mongod, " s"),
            ("first answer, index built for it", lambda r: r.first, " ms"),
            ("answer p50", lambda r: r.searched.asked.p50, " ms"),
            ("answer p99", lambda r: r.searched.asked.p99, " ms"),
            ("CPU an answer", lambda r: r.searched.server, " ms"),
            ("of mongod meanwhile", lambda r: r.searched.mongod, " ms"),
            (f"answers a second, {AT_ONCE} at once", lambda r: r.searched.asked.rate, ""),
            (f"answer p99, {AT_ONCE} at once", lambda r: r.searched.asked.p99_at_once, " ms"),
            ("memory over idle", lambda r: r.searched.grown, " MiB"),
        ]
        heads = ("of each", "Greenroom", "lowest–highest", "bare libraries", "lowest–highest")
        return [
            heads,
            *((what, *_pair(self.ours, of, unit), *_pair(self.bare, of, unit)) for what, of, unit in rows),
        ]

    def goals(self) -> list[Cells]:
        """Return ratios of the same round."""
        pairs = list(zip(self.ours, self.bare, strict=True))
        found = [
            Figure("indexing ÷ bare", [o.indexed.wall / b.indexed.wall for o, b in pairs]),
            Figure("answer p50 ÷ bare", [o.searched.asked.p50 / b.searched.asked.p50 for o, b in pairs]),
            Figure("CPU an answer ÷ bare", [o.searched.server / b.searched.server for o, b in pairs]),
            Figure("memory ÷ bare", [o.searched.grown / b.searched.grown for o, b in pairs]),
        ]
        return [("figure", "median", "rounds", "goal", "met"), *(figure.cells() for figure in found)]


def _pair(rounds: Sequence[Round], of: Callable[[Round], float], unit: str) -> Cells:
    values = [of(each) for each in rounds]
    if not any(values):
        return "", ""
    return f"{_number(statistics.median(values))}{unit}", f"{_number(min(values))}–{_number(max(values))}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
