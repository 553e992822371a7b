"""From samples to the figures that have goals, and to tables."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from bench.fanout.measure import Sample
from bench.fanout.peers import Name

LABELS: dict[Name, str] = {
    "greenroom": "Greenroom",
    "transport": "Greenroom, transport only",
    "node": "Node socket.io",
    "stock": "python-socketio",
    "sender": "C sender",
}
LATENCY = "50,000 deliveries/s"
PEERS: tuple[Name, ...] = tuple(LABELS)


@dataclass(frozen=True, slots=True)
class Figure:
    """A ratio of each round, beside its goal."""

    what: str
    rounds: Sequence[float]
    goal: float | None = None
    unit: str = ""

    def cells(self) -> tuple[str, ...]:
        """Return the figure as the cells of a row."""
        found = statistics.median(self.rounds)
        spread = f"{min(self.rounds):.2f}–{max(self.rounds):.2f}" if len(self.rounds) > 1 else ""
        goal = "" if self.goal is None else f"≤ {self.goal:g}{self.unit}"
        met = "" if self.goal is None else "yes" if found <= self.goal else "no"
        return self.what, f"{found:.2f}{self.unit}", spread, goal, met


@dataclass(frozen=True, slots=True)
class Samples:
    """Everything measured: by what was done, then by server, one sample a round."""

    found: dict[str, dict[Name, list[Sample]]] = field(default_factory=dict)
    memory: dict[Name, float] = field(default_factory=dict)

    def add(self, what: str, name: Name, sample: Sample) -> None:
        """Keep a sample."""
        self.found.setdefault(what, {}).setdefault(name, []).append(sample)

    def costs(self, what: str, name: Name) -> list[float]:
        """Return the CPU microseconds of each round."""
        return [sample.cost for sample in self.found[what][name]]

    def has(self, what: str, *names: Name) -> bool:
        """Tell whether something was measured with all of these."""
        return all(name in self.found.get(what, {}) for name in names)

    def table(self) -> list[tuple[str, ...]]:
        """Return the medians of all that was done: costs, then latencies."""
        rows = [("CPU µs each", *LABELS.values())]
        for what, by_name in self.found.items():
            rows.append((what, *(_middle(s.cost for s in by_name.get(name, ())) for name in PEERS)))
        for label, quantile in (("p50", attrgetter("p50")), ("p99", attrgetter("p99"))):
            timed = self.found.get(LATENCY, {})
            row = [_middle(map(quantile, timed.get(name, ()))) for name in PEERS]
            rows.append((f"{LATENCY}: ms, {label}", *row))
        if self.memory:
            kept = (f"{self.memory[name]:.1f}" if name in self.memory else "" for name in PEERS)
            rows.append(("idle connection, KiB", *kept))
        return rows

    def figures(self) -> list[Figure]:
        """Return the figures that have goals, as far as they were measured."""
        one = "followers 1000"
        found = [
            self._ratio("fan-out ÷ Node, N = 1000", one, "greenroom", "node", 0.55),
            self._ratio("fan-out ÷ python-socketio, N = 1000", one, "greenroom", "stock", 0.12),
            self._ratio("fan-out ÷ C sender, N = 1000", one, "greenroom", "sender", 1.6),
            self._ratio("10 entries a turn ÷ Node, N = 1000", f"{one}, 10 a turn", "greenroom", "node", 0.2),
            self._ratio("ack through the dispatcher ÷ Node's echo", "acks", "greenroom", "node", 1.5),
            self._ratio("echo of the transport alone ÷ Node's echo", "acks", "transport", "node", 1.5),
            self._latency(),
            self._growth(),
        ]
        if "greenroom" in self.memory:
            found.append(Figure("an idle connection", [self.memory["greenroom"]], 26, " KiB"))
        return [figure for figure in found if figure is not None]

    def _ratio(self, label: str, what: str, name: Name, other: Name, goal: float) -> Figure | None:
        if not self.has(what, name, other):
            return None
        pairs = zip(self.costs(what, name), self.costs(what, other), strict=True)
        return Figure(label, [ours / theirs for ours, theirs in pairs], goal)

    def _latency(self) -> Figure | None:
        if not self.has(LATENCY, "greenroom", "node"):
            return None
        pairs = zip(self.found[LATENCY]["greenroom"], self.found[LATENCY]["node"], strict=True)
        rounds = [ours.p99 / theirs.p99 for ours, theirs in pairs]
        return Figure("p99 of latency at 50,000 deliveries/s ÷ Node's, N = 1000", rounds, 0.33)

    def _growth(self) -> Figure | None:
        few, many = "followers 100", "followers 5000"
        if not (self.has(few, "greenroom", "sender") and self.has(many, "greenroom", "sender")):
            return None

        def growth(name: Name) -> list[float]:
            return [m / f for m, f in zip(self.costs(many, name), self.costs(few, name), strict=True)]

        rounds = [ours / theirs for ours, theirs in zip(growth("greenroom"), growth("sender"), strict=True)]
        return Figure("cost at N = 5000 ÷ at N = 100, ÷ the C sender's", rounds, 1.15)


def _middle(values: Iterable[float]) -> str:
    found = list(values)
    return f"{statistics.median(found):.2f}" if found else ""
