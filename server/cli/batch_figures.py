"""What a batch job has come to so far: counted result by result, so that any number of them fits."""

from collections import deque
from dataclasses import dataclass, field

from schemas.envelope import JsonObject

MOST_LAST = 5
MOST_FAILURES = 10
LEAST_COMPLETED, LEAST_SECONDS = 5, 10.0  # before there is an estimate


@dataclass
class Count:
    """Figures of some runs."""

    runs: int = 0
    completed: int = 0
    passed: int = 0
    failed: int = 0
    errors: int = 0
    score: float = 0.0
    seconds: float = 0.0  # of runs that were completed
    tokens: int = 0
    cost: float = 0.0
    answered_by: dict[str, None] = field(default_factory=dict)  # other models than the one that was asked for

    def add(self, result: JsonObject) -> None:
        """Count a result."""
        self.runs += 1
        self.passed += result["verdict"] == "Passed"
        self.failed += result["verdict"] == "Failed"
        self.errors += result["verdict"] == "Error"
        self.score += result["match_score"]
        if result["is_run_completed"]:
            self.completed += 1
            self.seconds += result["response_time_sec"]
        self.tokens += result["total_llm_tokens_used"]
        self.cost += result["llm_api_cost"]
        answered = result.get("answered_by")
        if answered and f"[{answered}] - " not in result["permutation_summary"]:
            self.answered_by[answered] = None


@dataclass
class Estimate:
    """Says how long a job may take yet, by the runs that were completed while it was watched.

    Runs that fail take no time, so they say nothing. There is no estimate for a while, nor for a job that was
    started before: what it has already done comes at once.
    """

    total: int | None
    began: float
    completed: int = 0
    runs: int = 0

    def add(self, result: JsonObject) -> None:
        """Take note of a result."""
        self.runs += 1
        self.completed += result["is_run_completed"]

    def left(self, now: float) -> float | None:
        """Return the seconds that are left, or None while nobody can know."""
        took = now - self.began
        if self.total is None or self.completed < LEAST_COMPLETED or took < LEAST_SECONDS:
            return None
        return took / self.completed * max(0, self.total - self.runs)


@dataclass
class Figures:
    """Figures of a job: of each permutation and of all, the newest results, and the first that failed."""

    by_permutation: dict[str, Count] = field(default_factory=dict)
    total: Count = field(default_factory=Count)
    last: deque[JsonObject] = field(default_factory=lambda: deque(maxlen=MOST_LAST))
    failures: list[JsonObject] = field(default_factory=list)

    def add(self, result: JsonObject) -> None:
        """Count a result."""
        self.by_permutation.setdefault(result["permutation_name"], Count()).add(result)
        self.total.add(result)
        self.last.append(result)
        if result["verdict"] != "Passed" and len(self.failures) < MOST_FAILURES:
            self.failures.append(result)
