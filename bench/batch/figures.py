"""From runs to the figures that have goals."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.batch.job import Memory, Spent
from bench.batch.promptfoo import Spent as PeerSpent
from bench.fanout.figures import Figure

WALL_GOAL = 1.3
MEMORY_GOAL = 150
READERS = {True: "a client that reads", False: "a client that does not read"}


@dataclass
class Figures:
    """Everything measured, one item a round."""

    ours: list[Spent] = field(default_factory=list)
    bare: list[PeerSpent] = field(default_factory=list)
    promptfoo: list[PeerSpent] = field(default_factory=list)
    memory: dict[bool, Memory] = field(default_factory=dict)

    def table(self, cases: int) -> list[tuple[str, ...]]:
        """Return medians: seconds of a job and milliseconds of CPU for each case."""
        rows: list[tuple[str, ...]] = [("of each", "wall s", "lowest–highest", "CPU ms a case")]
        if not self.ours:
            return rows
        wall = [spent.wall for spent in self.ours]
        rows.append(_row("Greenroom", wall, [spent.server for spent in self.ours], cases))
        for name, peers in (("bare aiohttp client", self.bare), ("promptfoo", self.promptfoo)):
            if peers:
                rows.append(_row(name, [p.wall for p in peers], [p.cpu for p in peers], cases))
        rows.append(_row("mongod, while Greenroom runs", [], [s.mongod for s in self.ours], cases))
        rows.append(_row("endpoint, while Greenroom runs", [], [s.endpoint for s in self.ours], cases))
        return rows

    def goals(self, cases: int) -> list[tuple[str, ...]]:
        """Return ratios and memory beside their goals."""
        found: list[Figure] = []
        if self.ours:
            pairs = list(zip(self.ours, self.bare, strict=True))
            ratios = [ours.wall / bare.wall for ours, bare in pairs]
            own = [(ours.server - bare.cpu) / cases * 1e3 for ours, bare in pairs]
            found += [
                Figure("wall ÷ bare client", ratios, WALL_GOAL),
                Figure("CPU of the server ÷ bare client", [o.server / b.cpu for o, b in pairs]),
                Figure("CPU a case besides the bare client's", own, unit=" ms"),
            ]
        if self.promptfoo:
            peers = list(zip(self.ours, self.promptfoo, strict=False))
            found += [
                Figure("wall ÷ promptfoo", [o.wall / p.wall for o, p in peers]),
                Figure("CPU of the server ÷ promptfoo", [o.server / p.cpu for o, p in peers]),
            ]
        for reads, memory in self.memory.items():
            label = f"memory over idle, {READERS[reads]}, {memory.seconds:.0f} s"
            found.append(Figure(label, [memory.grown], MEMORY_GOAL, " MiB"))
        return [("figure", "median", "rounds", "goal", "met"), *(figure.cells() for figure in found)]


def _row(name: str, wall: Sequence[float], cpu: Sequence[float], cases: int) -> tuple[str, ...]:
    each = f"{statistics.median(cpu) / cases * 1e3:.2f}"
    if not wall:
        return name, "", "", each
    return name, f"{statistics.median(wall):.2f}", f"{min(wall):.2f}–{max(wall):.2f}", each
