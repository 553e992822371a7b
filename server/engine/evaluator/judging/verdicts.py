"""What runs come to, and how often they succeed: the same in answers, rooms and reports. Pure."""

from collections.abc import Mapping
from typing import Literal

from schemas.evaluator import Number
from schemas.evaluator_run import RunStatus
from server.engine.evaluator.judging.pass_k import pass_hat_k

Verdict = Literal[
    "success", "no_success", "simulator_error", "not_judged", "broken", "cancelled", "unfinished"
]


def verdict(*, ended: bool, status: RunStatus, success: bool | None, simulator_error: bool) -> Verdict:
    """Return what a run came to; whose fault it was when it came to nothing."""
    if not ended:
        return "unfinished"
    if status == "cancelled":
        return "cancelled"
    if status == "failed":
        return "broken"
    if simulator_error:
        return "simulator_error"
    if success:
        return "success"
    return "not_judged" if success is None else "no_success"


def success_rate(successes: int, runs: int) -> float:
    """Return successes in percent of all runs."""
    return round(100 * successes / runs, 2) if runs else 0.0


def pass_rates(by_scenario: Mapping[Number, Mapping[Verdict, int]], freq: int) -> list[float]:
    """Return pass^k of scenarios that are repeated, by how many of their runs came to what.

    Only runs of which it is known whether the agent did what was wanted tell anything.
    """
    if freq < 2:
        return []
    known = {
        scenario: [True] * counts.get("success", 0) + [False] * counts.get("no_success", 0)
        for scenario, counts in by_scenario.items()
    }
    return pass_hat_k(known, freq)
