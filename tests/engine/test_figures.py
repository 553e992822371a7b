"""Figures of runs: what counts, percentiles, sums, and the properties of pass^k."""

from itertools import combinations, pairwise
from math import isclose
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Usage
from schemas.test import Run
from server.engine.replay.figures import (
    MAX_K,
    figures_of,
    latest_grade,
    outcome_of,
    pass_powers,
    run_figures,
    spread,
)
from tests.engine.grading_cases import uid
from tests.support.stored_replays import make_grade, make_result, make_run

PASSED = make_grade(passed=True)
MISSED = make_grade(passed=False)
KINDS: dict[str, dict[str, Any]] = {
    "passed": {"grades": [MISSED, PASSED]},  # the latest counts
    "not_passed": {"grades": [PASSED, MISSED]},
    "failed": {"state": "failed"},
    "ungraded": {},
    "pending": {"state": "pending"},
    "queued": {"state": "queued"},
    "running": {"state": "running"},
}


@st.composite
def some_runs(draw: st.DrawFn) -> list[Run]:
    places = draw(
        st.lists(
            st.tuples(st.sampled_from("abcd"), st.integers(1, 4), st.sampled_from(list(KINDS))),
            unique_by=lambda place: place[:2],
            max_size=12,
        )
    )
    return [make_run(original, cycle=cycle, **KINDS[kind]) for original, cycle, kind in places]


# --- what counts --------------------------------------------------------------------------------------------


def test_what_a_run_comes_to() -> None:
    assert {kind: outcome_of(make_run(**changes)) for kind, changes in KINDS.items()} == {
        **{kind: kind for kind in ("passed", "not_passed", "failed", "ungraded")},
        **dict.fromkeys(("pending", "queued", "running"), "unfinished"),
    }
    assert latest_grade(make_run(grades=[MISSED, PASSED])) is PASSED
    assert latest_grade(make_run()) is None


def test_a_failed_run_counts_as_not_passed_and_an_ungraded_one_not_at_all() -> None:
    runs = [
        make_run("a", cycle=1, grades=[PASSED]),
        make_run("a", cycle=2, state="failed"),
        make_run("a", cycle=3),
        make_run("a", cycle=4, state="pending"),
    ]
    found = figures_of(runs)
    assert (found.runs, found.cycles, found.judged, found.passed, found.pass_rate) == (4, 4, 2, 1, 0.5)
    assert [(p.k, p.value, p.originals) for p in found.pass_k] == [(1, 0.5, 1), (2, 0.0, 1)]
    assert found.states == {"pending": 1, "queued": 0, "running": 0, "done": 2, "failed": 1}
    assert found.outcomes == {"passed": 1, "not_passed": 0, "failed": 1, "ungraded": 1, "unfinished": 1}


def test_two_agents_are_two_places_of_a_recorded_run() -> None:
    runs = [
        make_run("a", grades=[PASSED], invocation_id=uid("first")),
        make_run("a", grades=[MISSED], invocation_id=uid("second")),
    ]
    assert [(p.k, p.value, p.originals) for p in figures_of(runs).pass_k] == [(1, 0.5, 2)]


# --- sums and spreads ---------------------------------------------------------------------------------------


def test_latency_tokens_cost_and_tool_calls() -> None:
    unpriced = Usage(prompt_tokens=10, completion_tokens=1)
    runs = [
        make_run("a", grades=[MISSED, PASSED]),
        make_run("b", result=make_result(usage=unpriced, first_token_ms=None, duration_ms=500)),
        make_run("c", state="failed", result=make_result(duration_ms=90_000, tool_calls=9)),
        make_run("d", state="pending"),
    ]
    found = figures_of(runs)
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (410, 81)  # also of what failed
    assert (found.usage.cost_usd, found.usage.unpriced) == (0.004, 1)
    assert (found.grading.prompt_tokens, found.grading.cost_usd) == (100, 0.002)  # every grade was paid for
    assert found.duration_ms
    assert (found.duration_ms.count, found.duration_ms.mean, found.duration_ms.max) == (2, 1000, 1500)
    assert found.first_token_ms
    assert found.first_token_ms.count == 1
    calls = found.tool_calls
    assert (calls.made, calls.matched, calls.recorded, calls.match_rate, calls.recall) == (4, 2, 4, 0.5, 0.5)
    assert found.score
    assert (found.score.mean, found.score.median) == (6, 6)


def test_nothing_has_no_figures() -> None:
    found = figures_of([])
    assert (found.pass_rate, found.score, found.duration_ms, found.usage.cost_usd) == (None,) * 4
    assert (found.pass_k, found.tool_calls.match_rate, found.tool_calls.recall) == ([], None, None)
    nothing = run_figures(make_run(state="pending"))
    assert (nothing.duration_ms, nothing.prompt_tokens, nothing.tool_calls) == (None, None, None)


def test_percentiles_are_numbers_that_occurred() -> None:
    found = spread([float(n) for n in range(1, 101)])
    assert found
    assert (found.p50, found.p90, found.p95, found.p99, found.max) == (50, 90, 95, 99, 100)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_do_not_fall(values: list[float]) -> None:
    found = spread(values)
    assert found
    ordered = [found.p50, found.p90, found.p95, found.p99, found.max]
    assert ordered == sorted(ordered)
    assert set(ordered) <= set(values)


# --- pass^k -------------------------------------------------------------------------------------------------


@given(st.lists(st.booleans(), min_size=1, max_size=8))
def test_it_is_the_share_of_choices_that_all_passed(outcomes: list[bool]) -> None:
    for power in pass_powers([(len(outcomes), sum(outcomes))]):
        choices = list(combinations(outcomes, power.k))
        assert isclose(power.value, sum(all(c) for c in choices) / len(choices))


@given(st.integers(1, 6).flatmap(lambda n: st.lists(st.tuples(st.just(n), st.integers(0, n)), min_size=1)))
def test_with_equally_many_cycles_it_begins_at_the_pass_rate_and_falls(pairs: list[tuple[int, int]]) -> None:
    powers = pass_powers(pairs)
    n = pairs[0][0]
    assert [p.k for p in powers] == list(range(1, n + 1))
    assert isclose(powers[0].value, sum(c for _, c in pairs) / (n * len(pairs)), abs_tol=1e-12)
    assert all(later.value <= former.value + 1e-12 for former, later in pairwise(powers))
    assert isclose(powers[-1].value, sum(c == n for _, c in pairs) / len(pairs), abs_tol=1e-12)


@given(some_runs(), st.randoms(use_true_random=False))
def test_the_order_of_runs_does_not_matter(runs: list[Run], random: Any) -> None:
    mixed = list(runs)
    random.shuffle(mixed)
    assert figures_of(mixed) == figures_of(runs)


@given(some_runs())
def test_every_run_is_counted_once(runs: list[Run]) -> None:
    found = figures_of(runs)
    assert sum(found.states.values()) == sum(found.outcomes.values()) == found.runs == len(runs)
    assert found.judged == sum(found.outcomes[o] for o in ("passed", "not_passed", "failed"))
    assert (
        found.states["done"]
        == found.outcomes["passed"] + found.outcomes["not_passed"] + (found.outcomes["ungraded"])
    )
    assert all(0 <= p.value <= 1 and p.originals >= 1 for p in found.pass_k)


def test_recorded_runs_with_fewer_cycles_are_left_out() -> None:
    powers = pass_powers([(1, 0), (2, 2), (0, 0)])
    assert [(p.k, p.value, p.originals) for p in powers] == [(1, 0.5, 2), (2, 1.0, 1)]


def test_very_many_cycles_are_possible() -> None:
    powers = pass_powers([(5000, 4999)])
    assert len(powers) == MAX_K
    assert isclose(powers[-1].value, 1 - MAX_K / 5000)
