"""pass^k of scenarios that were repeated."""

from itertools import combinations
from math import isclose

from hypothesis import given
from hypothesis import strategies as st

from server.engine.evaluator.judging.pass_k import pass_hat_k


def test_each_k_is_the_average_over_scenarios() -> None:
    assert pass_hat_k({1: [True, True, False, False], 2: [True] * 4}, 4) == [
        (1 / 2 + 1) / 2,
        (1 / 6 + 1) / 2,
        (0 + 1) / 2,
        (0 + 1) / 2,
    ]


def test_a_scenario_with_fewer_runs_than_k_says_nothing_about_it() -> None:
    assert pass_hat_k({1: [True], 2: [True, False], 3: []}, 3) == [(1 + 1 / 2) / 2, 0.0]


def test_nothing_is_said_without_runs() -> None:
    assert pass_hat_k({}, 3) == []
    assert pass_hat_k({1: []}, 3) == []


@given(st.lists(st.booleans(), min_size=1, max_size=8))
def test_it_is_the_share_of_the_choices_of_k_runs_that_all_succeed(runs: list[bool]) -> None:
    found = pass_hat_k({1: runs}, len(runs))
    for k, value in enumerate(found, start=1):
        choices = list(combinations(runs, k))
        assert isclose(value, sum(map(all, choices)) / len(choices))
    assert len(found) == len(runs)
    assert found == sorted(found, reverse=True)
