"""Figures of replays: latency, tokens, cost, tool calls, grades and pass^k. Pure: runs in, numbers out."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, comb, fsum
from statistics import fmean, median
from typing import Literal

from schemas.envelope import Usage
from schemas.grade import Grade
from schemas.test import Run, RunState

Outcome = Literal["passed", "not_passed", "failed", "ungraded", "unfinished"]
MAX_K = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How a number is spread over finished runs; each percentile is one that occurred (nearest rank)."""

    count: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Mean and median of the grades that count."""

    mean: float
    median: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Tokens, and their price as far as it is known; `unpriced` counts what has no known price."""

    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    unpriced: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCalls:
    """Calls made, made as recorded, and recorded; the rates are None when there is nothing to divide by."""

    made: int
    matched: int
    recorded: int
    match_rate: float | None  # of the calls that were made
    recall: float | None  # of the calls that were recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class PassPower:
    """pass^k: the chance that k replays of one recorded run, taken from its cycles, all pass."""

    k: int
    value: float
    originals: int  # recorded runs with at least k judged replays, over which the mean is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What many runs came to. judged = passed + not_passed, and pass_rate = passed / judged."""

    runs: int
    states: dict[RunState, int]
    outcomes: dict[Outcome, int]
    being_graded: int
    cycles: int
    judged: int
    passed: int
    pass_rate: float | None
    pass_k: list[PassPower]
    score: Level | None
    percentage: Level | None
    first_token_ms: Spread | None
    duration_ms: Spread | None
    total_ms: float  # of all runs, also of those that failed
    usage: Spent
    grading: Spent
    tool_calls: ToolCalls


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """What one run came to; None where nothing was measured."""

    first_token_ms: float | None
    duration_ms: float | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None
    tool_calls: int | None
    matched_calls: int | None
    recorded_calls: int | None


def latest_grade(run: Run) -> Grade | None:
    """Return the grade that counts."""
    return run.grades[-1] if run.grades else None


def outcome_of(run: Run) -> Outcome:
    """Return what a run came to: a failed one counts as not passed, one without a grade does not count."""
    if run.state == "failed":
        return "failed"
    if run.state != "done":
        return "unfinished"
    grade = latest_grade(run)
    if grade is None:
        return "ungraded"
    return "passed" if grade.passed else "not_passed"


def run_figures(run: Run) -> RunFigures:
    """Return the figures of one run."""
    result = run.result
    return RunFigures(
        first_token_ms=result.first_token_ms if result else None,
        duration_ms=result.duration_ms if result else None,
        prompt_tokens=result.usage.prompt_tokens if result else None,
        completion_tokens=result.usage.completion_tokens if result else None,
        cost_usd=result.usage.cost_usd if result else None,
        tool_calls=result.tool_calls if result else None,
        matched_calls=result.matched_calls if result else None,
        recorded_calls=result.recorded_calls if result else None,
    )


def pass_powers(judged: Iterable[tuple[int, int]], *, most: int = MAX_K) -> list[PassPower]:
    """Return pass^k for k = 1, 2, … from pairs (n judged replays, c of them passed), one per recorded run.

    The estimate for one recorded run is C(c, k) / C(n, k); the mean leaves out those with n < k.
    """
    pairs = Counter((n, c) for n, c in judged if n)
    highest = min(max((n for n, _ in pairs), default=0), most)
    return [_power(pairs, k) for k in range(1, highest + 1)]


def _power(pairs: Counter[tuple[int, int]], k: int) -> PassPower:
    enough = [(n, c, times) for (n, c), times in sorted(pairs.items()) if n >= k]
    originals = sum(times for _, _, times in enough)
    total = fsum(comb(c, k) / comb(n, k) * times for n, c, times in enough)
    return PassPower(k=k, value=total / originals, originals=originals)


def spread(values: list[float]) -> Spread | None:
    """Return how values are spread, None for none."""
    if not values:
        return None
    ordered = sorted(values)

    def rank(percent: int) -> float:
        return ordered[ceil(len(ordered) * percent / 100) - 1]

    return Spread(
        count=len(ordered),
        mean=round(fmean(ordered), 3),
        p50=rank(50),
        p90=rank(90),
        p95=rank(95),
        p99=rank(99),
        max=ordered[-1],
    )


def figures_of(runs: Iterable[Run]) -> Figures:
    """Return the figures of some runs, in whatever order they come."""
    tally = Tally()
    for run in runs:
        tally.add(run)
    return tally.figures()


@dataclass(slots=True)
class _Spending:
    """Adds usages up."""

    prompt: int = 0
    completion: int = 0
    costs: list[float] = field(default_factory=list)
    unpriced: int = 0

    def add(self, usage: Usage) -> None:
        self.prompt += usage.prompt_tokens
        self.completion += usage.completion_tokens
        if usage.cost_usd is None:
            self.unpriced += 1
        else:
            self.costs.append(usage.cost_usd)

    def spent(self) -> Spent:
        return Spent(
            prompt_tokens=self.prompt,
            completion_tokens=self.completion,
            cost_usd=round(fsum(self.costs), 9) if self.costs else None,
            unpriced=self.unpriced,
        )


class Tally:
    """Takes runs one by one and keeps numbers only, so that any number of them can be counted."""

    def __init__(self) -> None:
        self._states: Counter[RunState] = Counter()
        self._outcomes: Counter[Outcome] = Counter()
        self._being_graded = 0
        self._judged: Counter[tuple[str, str]] = Counter()  # by invocation and recorded run
        self._passed: Counter[tuple[str, str]] = Counter()
        self._cycles: set[int] = set()
        self._scores: list[float] = []
        self._percentages: list[float] = []
        self._first: list[float] = []
        self._durations: list[float] = []
        self._times: list[float] = []
        self._usage = _Spending()
        self._grading = _Spending()
        self._calls: Counter[Literal["made", "matched", "recorded"]] = Counter()

    def add(self, run: Run) -> None:
        """Count a run."""
        outcome = outcome_of(run)
        self._states[run.state] += 1
        self._outcomes[outcome] += 1
        self._being_graded += run.grading is not None
        self._cycles.add(run.cycle)
        if outcome in ("passed", "not_passed", "failed"):
            key = (run.invocation_id, run.original_id)
            self._judged[key] += 1
            self._passed[key] += outcome == "passed"
        self._add_result(run)
        self._add_grades(run)

    def _add_result(self, run: Run) -> None:
        if run.result is None:
            return
        self._usage.add(run.result.usage)  # what failed was paid for too
        self._times.append(run.result.duration_ms)
        if run.state != "done":
            return
        self._durations.append(run.result.duration_ms)
        if run.result.first_token_ms is not None:
            self._first.append(run.result.first_token_ms)
        self._calls["made"] += run.result.tool_calls
        self._calls["matched"] += run.result.matched_calls
        self._calls["recorded"] += run.result.recorded_calls

    def _add_grades(self, run: Run) -> None:
        if run.state == "done" and (grade := latest_grade(run)) is not None:
            self._scores.append(grade.score)
            self._percentages.append(grade.percentage)
        for grade in run.grades:
            if grade.usage is not None:
                self._grading.add(grade.usage)

    def figures(self) -> Figures:
        """Return what has been counted so far."""
        passed = self._outcomes["passed"]
        judged = passed + self._outcomes["not_passed"] + self._outcomes["failed"]
        return Figures(
            runs=self._states.total(),
            states={s: self._states[s] for s in ("pending", "queued", "running", "done", "failed")},
            outcomes={
                o: self._outcomes[o] for o in ("passed", "not_passed", "failed", "ungraded", "unfinished")
            },
            being_graded=self._being_graded,
            cycles=len(self._cycles),
            judged=judged,
            passed=passed,
            pass_rate=passed / judged if judged else None,
            pass_k=pass_powers((n, self._passed[key]) for key, n in self._judged.items()),
            score=_level(self._scores),
            percentage=_level(self._percentages),
            first_token_ms=spread(self._first),
            duration_ms=spread(self._durations),
            total_ms=round(fsum(self._times), 3),
            usage=self._usage.spent(),
            grading=self._grading.spent(),
            tool_calls=self._tool_calls(),
        )

    def _tool_calls(self) -> ToolCalls:
        made, matched, recorded = (self._calls[name] for name in ("made", "matched", "recorded"))
        return ToolCalls(
            made=made,
            matched=matched,
            recorded=recorded,
            match_rate=matched / made if made else None,
            recall=min(1.0, matched / recorded) if recorded else None,
        )


def _level(values: list[float]) -> Level | None:
    if not values:
        return None
    return Level(mean=round(fmean(values), 3), median=round(median(values), 3))
