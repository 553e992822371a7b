"""Several judges: the median, the standard it snaps to, and Krippendorff's alpha."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.content import StandardGroup
from server.engine.grading.agreement import clamp, krippendorff_alpha, lowest, nearest_level, settle
from tests.engine.grading_cases import make_group

worths = st.lists(st.integers(0, 40).map(lambda n: n / 4), min_size=1, max_size=8)
groups = worths.map(lambda points: make_group("Any", points, pass_points=0))


@pytest.mark.parametrize(("level", "found"), [(1, 1), (3, 3), (0, 1), (-5, 1), (4, 3), (10**15, 3)])
def test_a_level_that_is_not_there_becomes_the_nearest(level: int, found: int) -> None:
    assert nearest_level(make_group("Clarity"), level).level == found


def test_of_two_nearest_levels_the_lower_counts() -> None:
    group = make_group("Clarity", (0, 1, 2))
    gap = group.model_copy(update={"standards": [group.standards[0], group.standards[2]]})
    assert nearest_level(gap, 2).level == 1


@pytest.mark.parametrize(
    ("levels", "points", "judge"),
    [
        ([1, 3, 2], 2, 2),
        ([3, 3, 1], 4, 0),
        ([1, 2], 0, 0),  # the median 1 lies between: the lower
        ([1, 3], 2, 0),  # nobody gave the standard in the middle: the first speaks
        ([2], 2, 0),
    ],
)
def test_the_median_counts(levels: list[int], points: float, judge: int) -> None:
    group = make_group("Clarity")
    standard, speaker = settle(group, [nearest_level(group, level) for level in levels])
    assert (standard.points, speaker) == (points, judge)


@given(group=groups, data=st.data())
def test_the_settled_standard_is_one_of_the_group_and_closest_to_the_median(
    group: StandardGroup, data: st.DataObject
) -> None:
    awarded = data.draw(st.lists(st.sampled_from(group.standards), min_size=1, max_size=9))
    standard, judge = settle(group, awarded)
    median = statistics.median(s.points for s in awarded)
    gap = abs(standard.points - median)
    assert standard in group.standards
    assert all(gap <= abs(s.points - median) for s in group.standards)
    assert not any(s.points < standard.points and abs(s.points - median) == gap for s in group.standards)
    assert all(abs(awarded[judge].points - median) <= abs(s.points - median) for s in awarded)
    if len(awarded) % 2:
        assert standard in awarded
        assert awarded[judge] == standard


@given(group=groups, level=st.integers())
def test_any_level_gives_points_within_the_group(group: StandardGroup, level: int) -> None:
    assert 0 <= clamp(nearest_level(group, level).points, group) <= group.points
    assert lowest(group).points == min(s.points for s in group.standards)


@given(points=st.floats(allow_nan=False))
def test_points_are_clamped(points: float) -> None:
    assert 0 <= clamp(points, make_group("Clarity")) <= 4


@pytest.mark.parametrize(
    ("points", "alpha"),
    [
        ([[2.0, 4.0]], None),  # one judge
        ([], None),
        ([[2.0, 2.0], [2.0, 2.0]], 1.0),  # no variance
        ([[0.0, 4.0, 2.0], [0.0, 4.0, 2.0]], 1.0),
        ([[1.0], [2.0]], 0.0),
        # By hand: Do = 2 * (1 + 0 + 0 + 1) / 8; De over all pairs of 0 1 2 2 3 4 4 4 is 256 / 56.
        ([[0.0, 2.0, 4.0, 4.0], [1.0, 2.0, 4.0, 3.0]], 1 - 0.5 / (256 / 56)),
    ],
)
def test_alpha(points: list[list[float]], alpha: float | None) -> None:
    assert krippendorff_alpha(points) == alpha


@given(st.lists(st.lists(st.integers(0, 10).map(float), min_size=3, max_size=3), min_size=2, max_size=5))
def test_alpha_is_at_most_one(points: list[list[float]]) -> None:
    alpha = krippendorff_alpha(points)
    assert alpha is not None
    assert alpha <= 1
    assert (alpha == 1) == all(row == points[0] for row in points)
