"""Relative score fusion: one ranking out of that by meaning and that by words."""

from collections.abc import Sequence
from typing import NamedTuple

EVEN = 0.5  # the weight of meaning where none was chosen


class Scored(NamedTuple):
    """A chunk and how well it fits; scores of different rankings cannot be compared.

    `row` is where it is in the contents that were searched.
    """

    id: str
    score: float
    row: int = 0


def fuse(dense: Sequence[Scored], sparse: Sequence[Scored], *, alpha: float, limit: int) -> list[Scored]:
    """Return both rankings as one, best first, at most `limit`; an empty one leaves the other as it is.

    Each ranking is spread over 0 to 1 and counts by `alpha`, what it lacks is 0 in it; equals are put in the
    order of their ids, so that every process gives the same answer.
    """
    if not dense or not sparse:
        return ranked(dense or sparse)[:limit]
    meaning, words = spread(dense), spread(sparse)
    rows = {hit.id: hit.row for ranking in (dense, sparse) for hit in ranking}
    fused = [
        Scored(found, alpha * meaning.get(found, 0.0) + (1 - alpha) * words.get(found, 0.0), row)
        for found, row in rows.items()
    ]
    return ranked(fused)[:limit]


def spread(hits: Sequence[Scored]) -> dict[str, float]:
    """Return scores with the least as 0 and the greatest as 1; all are 1 when they are equal."""
    least, greatest = min(hit.score for hit in hits), max(hit.score for hit in hits)
    if least == greatest:
        return {hit.id: 1.0 for hit in hits}
    return {hit.id: (hit.score - least) / (greatest - least) for hit in hits}


def ranked(hits: Sequence[Scored]) -> list[Scored]:
    """Return hits best first, equals in the order of their ids."""
    return sorted(hits, key=lambda hit: (-hit.score, hit.id))
