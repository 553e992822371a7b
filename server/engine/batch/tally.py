"""Figures of a job, counted as its results come: of all of it, and by permutation, language and test case."""

from dataclasses import dataclass

from schemas.batch import BatchRequest, BatchResult, JobFigures, PartSummary

MAX_PARTS = 1_000  # of longer lists a summary tells the number only
COST_DECIMALS = 8


@dataclass(slots=True)
class Counts:
    """Sums over some runs."""

    total: int = 0
    passed: int = 0
    errors: int = 0
    detected: int = 0
    found: int = 0
    mapped: int = 0
    match_score: float = 0.0
    asking: int = 0  # for parameters
    completed: int = 0
    response_time: float = 0.0  # of runs that were completed
    tokens: int = 0
    cost: float = 0.0
    cached_calls: int = 0

    def add(self, result: BatchResult) -> None:
        """Count a result."""
        self.total += 1
        self.passed += result.verdict == "Passed"
        self.errors += result.verdict == "Error"
        self.detected += result.is_plugin_detected
        self.found += result.is_plugin_operation_found
        self.mapped += result.is_plugin_parameter_mapped
        self.match_score += result.match_score
        self.asking += result.test_type == "api_signature_selector"
        if result.is_run_completed:
            self.completed += 1
            self.response_time += result.response_time_sec
        self.tokens += result.total_llm_tokens_used
        self.cost += result.llm_api_cost
        self.cached_calls += result.cached_calls

    @property
    def accuracy(self) -> float:
        """Return how many runs passed, in percent."""
        return self.mean(100 * self.passed)

    @property
    def average_response_time(self) -> float:
        """Return the mean time of the runs that were completed; many others end before anything is asked."""
        return round(self.response_time / self.completed, 2) if self.completed else 0.0

    def mean(self, amount: float, *, decimals: int = 2) -> float:
        """Return an amount per run; 0 when there is none."""
        return round(amount / self.total, decimals) if self.total else 0.0


class Tally:
    """Counts the results of a job, each once, in any order; holds counters and no results.

    Parts are told by name: permutations, languages or cases of one name are counted together.
    """

    def __init__(self, request: BatchRequest) -> None:
        self._all = Counts()
        source = request.config.source_language
        self._languages = {language or source: Counts() for language in request.languages}
        self._permutations = {permutation.name: Counts() for permutation in request.permutations}
        names = dict.fromkeys(case.name for case in request.test_cases)
        self._cases = len(names)
        self._by_case = {name: Counts() for name in names} if len(names) <= MAX_PARTS else None

    def add(self, result: BatchResult) -> None:
        """Count a result."""
        self._all.add(result)
        self._permutations[result.permutation_name].add(result)
        self._languages[result.language].add(result)
        if self._by_case is not None:
            self._by_case[result.test_case_name].add(result)

    def figures(self, run_time: float) -> JobFigures:
        """Return the figures of the whole job, which took so many seconds from its start to its end.

        Cases are counted once for each run that has a result; failed ones are those that did not pass,
        errors among them.
        """
        counts = self._all
        return JobFigures(
            total_test_cases=counts.total,
            failed_cases=counts.total - counts.passed,
            language=", ".join(self._languages),
            overall_accuracy=counts.accuracy,
            accuracy_step_a=counts.detected,
            accuracy_step_b=counts.found,
            accuracy_step_c=counts.mapped,
            total_run_time=round(run_time, 2),
            average_response_time_sec=counts.average_response_time,
            total_llm_tokens_used=counts.tokens,
            average_llm_tokens_used=counts.mean(counts.tokens),
            total_llm_api_cost=round(counts.cost, COST_DECIMALS),
            cached_calls=counts.cached_calls,
            runs_with_parameters=counts.asking,
        )

    def by_permutation(self) -> list[PartSummary]:
        """Return the figures of each permutation, in the order of the job."""
        return _summaries(self._permutations)

    def by_language(self) -> list[PartSummary]:
        """Return the figures of each language, in the order of the job."""
        return _summaries(self._languages)

    def by_test_case(self) -> list[PartSummary] | int:
        """Return the figures of each test case, in the order of the job; of more than 1,000 the number."""
        return self._cases if self._by_case is None else _summaries(self._by_case)


def _summaries(parts: dict[str, Counts]) -> list[PartSummary]:
    return [_summary(name, counts) for name, counts in parts.items()]


def _summary(name: str, counts: Counts) -> PartSummary:
    return PartSummary(
        name=name,
        total=counts.total,
        passed=counts.passed,
        failed=counts.total - counts.passed - counts.errors,
        errors=counts.errors,
        accuracy=counts.accuracy,
        accuracy_step_a=counts.detected,
        accuracy_step_b=counts.found,
        accuracy_step_c=counts.mapped,
        average_match_score=counts.mean(counts.match_score, decimals=4),
        average_response_time_sec=counts.average_response_time,
        total_llm_tokens_used=counts.tokens,
        total_llm_api_cost=round(counts.cost, COST_DECIMALS),
        runs_with_parameters=counts.asking,
    )
