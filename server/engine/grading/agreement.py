"""Several judgements of one criterion become one: the median counts, and alpha says how far they agree."""

import math
import statistics
from collections.abc import Sequence

from schemas.content import Standard, StandardGroup


def nearest_level(group: StandardGroup, level: int) -> Standard:
    """Return the standard of that level, else the nearest one, the lower of two equally near."""
    return min(group.standards, key=lambda s: (abs(s.level - level), s.level))


def lowest(group: StandardGroup) -> Standard:
    """Return the standard that is worth least."""
    return min(group.standards, key=lambda s: (s.points, s.level))


def clamp(points: float, group: StandardGroup) -> float:
    """Return the points within what the group can give."""
    return min(max(points, 0.0), group.points)


def settle(group: StandardGroup, awarded: Sequence[Standard]) -> tuple[Standard, int]:
    """Return the standard whose points are closest to the judges' median, and the judge who speaks for it.

    Of two equally close standards the lower counts. The judge is the one closest to the median, of several
    the one closest to the standard, then the first.
    """
    median = statistics.median(s.points for s in awarded)
    points = min((abs(s.points - median), s.points) for s in group.standards)[1]
    judge = min(
        range(len(awarded)), key=lambda j: (abs(awarded[j].points - median), abs(awarded[j].points - points))
    )
    if awarded[judge].points == points:
        return awarded[judge], judge
    return min((s for s in group.standards if s.points == points), key=lambda s: s.level), judge


def krippendorff_alpha(points: Sequence[Sequence[float]]) -> float | None:
    """Return how far judges (rows) agree on groups (columns), as an interval scale; None if undefined."""
    if len(points) < 2 or not points[0]:
        return None
    if len({value for row in points for value in row}) == 1:
        return 1.0  # the library refuses data without variance
    import krippendorff  # loads numpy, which most processes never need

    alpha = float(
        krippendorff.alpha(reliability_data=[list(r) for r in points], level_of_measurement="interval")
    )
    return round(alpha, 6) if math.isfinite(alpha) else None
