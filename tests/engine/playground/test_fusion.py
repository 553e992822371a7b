"""Relative score fusion, in worked numbers."""

import pytest

from server.engine.playground.retrieval.fusion import Scored, fuse, spread

DENSE = [Scored("a", 0.9), Scored("b", 0.7), Scored("c", 0.5)]  # spread: 1, 0.5, 0
SPARSE = [Scored("b", 12.0), Scored("d", 8.0), Scored("a", 4.0)]  # spread: 1, 0.5, 0


def told(hits: list[Scored]) -> dict[str, float]:
    return {hit.id: round(hit.score, 6) for hit in hits}


def test_both_rankings_count_by_their_weight() -> None:
    fused = fuse(DENSE, SPARSE, alpha=0.25, limit=30)
    assert told(fused) == {"b": 0.875, "d": 0.375, "a": 0.25, "c": 0.0}
    assert [hit.id for hit in fused] == ["b", "d", "a", "c"]


def test_meaning_wins_with_a_greater_alpha() -> None:
    assert told(fuse(DENSE, SPARSE, alpha=0.8, limit=30)) == {"a": 0.8, "b": 0.6, "d": 0.1, "c": 0.0}


def test_an_empty_ranking_leaves_the_other_with_its_own_scores() -> None:
    assert fuse(DENSE, [], alpha=0.25, limit=30) == DENSE
    assert fuse([], SPARSE, alpha=0.25, limit=30) == SPARSE
    assert fuse([], [], alpha=0.25, limit=30) == []


def test_equal_scores_are_all_one() -> None:
    assert spread([Scored("a", 0.3), Scored("b", 0.3)]) == {"a": 1.0, "b": 1.0}
    assert spread([Scored("a", -2.0)]) == {"a": 1.0}
    assert told(fuse([Scored("a", 0.1)], [Scored("b", 9.0)], alpha=0.25, limit=2)) == {"b": 0.75, "a": 0.25}


def test_what_is_past_the_limit_is_left_out() -> None:
    assert [hit.id for hit in fuse(DENSE, SPARSE, alpha=0.5, limit=2)] == ["b", "a"]
    assert [hit.id for hit in fuse(DENSE, [], alpha=1, limit=1)] == ["a"]


def test_equals_are_in_the_order_of_their_ids() -> None:
    hits = [Scored("c", 1.0), Scored("a", 1.0), Scored("b", 1.0)]
    assert [hit.id for hit in fuse(hits, [], alpha=1, limit=3)] == ["a", "b", "c"]
    assert [hit.id for hit in fuse(hits, hits[::-1], alpha=0.5, limit=3)] == ["a", "b", "c"]


@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.5, 1.0])
def test_what_both_find_best_stays_best(alpha: float) -> None:
    assert fuse(DENSE, DENSE, alpha=alpha, limit=3)[0] == Scored("a", 1.0)
