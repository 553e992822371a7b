"""From results to the figures that have goals."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.batch.promptfoo import Spent as BareSpent
from bench.evaluator.result import Spent
from bench.evaluator.work import TURNS
from bench.fanout.figures import Figure

STARTS_GOAL = 50


@dataclass
class Figures:
    """Everything measured, one item a round."""

    ours: list[Spent] = field(default_factory=list)
    bare: list[BareSpent] = field(default_factory=list)

    def table(self, runs: int) -> list[tuple[str, ...]]:
        """Return medians: seconds of a result and milliseconds of CPU for each turn."""
        rows: list[tuple[str, ...]] = [("of each", "wall s", "lowest–highest", "CPU ms a turn")]
        if self.ours:
            rows.append(_row("Greenroom", runs, self._of(lambda s: s.server), self._of(lambda s: s.wall)))
            bare = [spent.cpu for spent in self.bare]
            rows.append(_row("bare aiohttp client", runs, bare, [spent.wall for spent in self.bare]))
            rows.append(_row("mongod, while Greenroom runs", runs, self._of(lambda s: s.mongod)))
            rows.append(_row("agent, while Greenroom runs", runs, self._of(lambda s: s.agent)))
        return rows

    def goals(self, runs: int, at_once: int) -> list[tuple[str, ...]]:
        """Return ratios and other figures, beside their goals where they have one."""
        if not self.ours:
            return []
        pairs, turns = list(zip(self.ours, self.bare, strict=True)), runs * TURNS
        own = [(ours.server - bare.cpu) / turns * 1e3 for ours, bare in pairs]
        most = self._of(lambda s: float(s.most_at_once))
        found = [
            Figure("CPU of the server ÷ bare client", [o.server / b.cpu for o, b in pairs]),
            Figure("CPU a turn besides the bare client's", own, unit=" ms"),
            Figure("CPU of mongod ÷ the server's", self._of(lambda s: s.mongod / s.server)),
            Figure("wall ÷ bare client", [o.wall / b.wall for o, b in pairs]),
            Figure("most calls at once", most, float(at_once)),
            Figure("first call after", self._of(lambda s: s.first), unit=" s"),
            Figure("memory over idle", self._of(lambda s: s.grown), unit=" MiB"),
        ]
        heads = ("figure", "median", "rounds", "goal", "met")
        return [heads, self._starts(), *(figure.cells() for figure in found)]

    def _starts(self) -> tuple[str, ...]:
        """Return the only figure of which more is better."""
        starts = self._of(lambda s: s.starts)
        name, median, spread, _, _ = Figure("calls begun a second", starts).cells()
        met = "yes" if statistics.median(starts) >= STARTS_GOAL else "no"
        return name, median, spread, f"≥ {STARTS_GOAL}", met

    def _of(self, what: Callable[[Spent], float]) -> list[float]:
        return [what(spent) for spent in self.ours]


def _row(name: str, runs: int, cpu: Sequence[float], wall: Sequence[float] = ()) -> tuple[str, ...]:
    each = f"{statistics.median(cpu) / (runs * TURNS) * 1e3:.2f}"
    if not wall:
        return name, "", "", each
    return name, f"{statistics.median(wall):.2f}", f"{min(wall):.2f}–{max(wall):.2f}", each
