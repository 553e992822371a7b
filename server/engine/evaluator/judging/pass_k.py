"""pass^k: how likely it is that k runs of a scenario all succeed."""

from collections.abc import Mapping, Sequence
from math import comb, fsum


def pass_hat_k(by_scenario: Mapping[int, Sequence[bool]], freq: int) -> list[float]:
    """Return pass^k for k from 1 to `freq`: C(c, k) / C(n, k) of each scenario, averaged.

    n are a scenario's runs that count and c those that succeeded. A scenario with fewer than k runs says
    nothing about k; the list ends where no scenario says anything.
    """
    counts = [(len(runs), sum(runs)) for runs in by_scenario.values()]
    found: list[float] = []
    for k in range(1, freq + 1):
        shares = [comb(good, k) / comb(runs, k) for runs, good in counts if runs >= k]
        if not shares:
            break
        found.append(fsum(shares) / len(shares))
    return found
