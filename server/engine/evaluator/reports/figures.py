"""What the runs of a result came to, taken together. Pure: runs in, numbers out."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.envelope import Usage
from schemas.evaluator import Number
from schemas.evaluator_run import EvaluatorRun, MetricValue
from server.engine.evaluator.judging.verdicts import Verdict, pass_rates, success_rate, verdict


def verdict_of(run: EvaluatorRun) -> Verdict:
    """Return what a run came to."""
    mistaken = run.judgement is not None and run.judgement.simulator_error is not None
    ended = run.state == "ended"
    return verdict(ended=ended, status=run.status, success=run.success, simulator_error=mistaken)


@dataclass(slots=True)
class Mean:
    """A mean of numbers that come one after the other, with the lowest and the highest."""

    count: int = 0
    total: float = 0.0
    least: float = 0.0
    most: float = 0.0

    def add(self, value: float) -> None:
        """Count a number."""
        self.least = min(self.least, value) if self.count else value
        self.most = max(self.most, value) if self.count else value
        self.count += 1
        self.total += value

    @property
    def value(self) -> float | None:
        """Return the mean, None of nothing."""
        return self.total / self.count if self.count else None


@dataclass(slots=True)
class Part:
    """What the runs of one scenario, or all of them, came to; `duration` and `score` where there is one."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    timeouts: int = 0
    duration: Mean = field(default_factory=Mean)
    score: Mean = field(default_factory=Mean)

    @property
    def runs(self) -> int:
        """Return how many runs there are."""
        return self.verdicts.total()

    @property
    def success_rate(self) -> float:
        """Return the share of all runs that succeeded, in percent."""
        return success_rate(self.verdicts["success"], self.runs)

    def add(self, run: EvaluatorRun) -> None:
        """Count a run."""
        self.verdicts[verdict_of(run)] += 1
        self.timeouts += run.status == "timeout"
        if run.talked is not None and run.status != "failed":
            self.duration.add(run.talked.duration)
        if run.judgement is not None and run.judgement.expected_outcome is not None:
            self.score.add(run.judgement.expected_outcome.score)


@dataclass(slots=True)
class MetricPart:
    """What a metric came to over all runs; `values` counts those that are no numbers."""

    name: str
    numbers: Mean = field(default_factory=Mean)
    values: Counter[str] = field(default_factory=Counter)
    passed: int = 0
    ruled: int = 0
    errors: int = 0

    def add(self, metric: MetricValue) -> None:
        """Count what it came to in a run."""
        self.errors += metric.error is not None
        self.ruled += metric.passed is not None
        self.passed += metric.passed is True
        if isinstance(metric.value, bool):
            self.values["yes" if metric.value else "no"] += 1
        elif isinstance(metric.value, str):
            self.values[metric.value] += 1
        elif metric.value is not None:
            self.numbers.add(metric.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a report says in numbers; `pass_hat_k` for k = 1, 2, … when scenarios were repeated."""

    whole: Part
    scenarios: Mapping[Number, Part]
    metrics: list[MetricPart]
    reasons: Mapping[str, int]
    pass_hat_k: list[float]
    tokens: int
    cost_usd: float
    reliable: bool


@dataclass(slots=True)
class Tally:
    """Counts runs one after the other."""

    whole: Part = field(default_factory=Part)
    scenarios: dict[Number, Part] = field(default_factory=dict)
    metrics: dict[tuple[Number | None, str], MetricPart] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    cost_usd: float = 0.0
    reliable: bool = True

    def add(self, run: EvaluatorRun) -> None:
        """Count a run."""
        for part in (self.whole, self.scenarios.setdefault(run.plan.scenario, Part())):
            part.add(run)
        if run.talked is not None:
            self.reasons[run.talked.ended_reason] += 1
            self._spend(run.talked.usage)
        if run.judgement is not None:
            self._spend(run.judgement.usage)
            self.reliable = self.reliable and run.judgement.reliable
            for metric in run.judgement.metrics:
                key = metric.id, metric.name
                self.metrics.setdefault(key, MetricPart(metric.name)).add(metric)

    def figures(self, *, freq: int) -> Figures:
        """Return the figures of all that was counted."""
        return Figures(
            whole=self.whole,
            scenarios=self.scenarios,
            metrics=list(self.metrics.values()),
            reasons=self.reasons,
            pass_hat_k=pass_rates({n: part.verdicts for n, part in self.scenarios.items()}, freq),
            tokens=self.tokens,
            cost_usd=self.cost_usd,
            reliable=self.reliable,
        )

    def _spend(self, usage: Usage) -> None:
        self.tokens += usage.prompt_tokens + usage.completion_tokens
        self.cost_usd += usage.cost_usd or 0.0
