"""The explorer itself: it visits everything, and shows the shortest way to what is wrong."""

from collections.abc import Iterator

import pytest

from tests.models.explorer import explore


class Counter:
    """Counts to a limit by ones and twos."""

    def __init__(self, *, forbidden: int = -1, goal: int = 6) -> None:
        self.forbidden = forbidden
        self.goal = goal

    def initial(self) -> int:
        return 0

    def steps(self, state: int) -> Iterator[tuple[str, int]]:
        for step in (1, 2):
            if state + step <= 6:
                yield f"add {step}", state + step

    def wrong(self, state: int) -> str | None:
        return f"{state} is forbidden" if state == self.forbidden else None

    def unfinished(self, state: int) -> str | None:
        return None if state == self.goal else f"ends at {state}"


def test_it_visits_every_state() -> None:
    assert str(explore(Counter())) == "holds in all 7 states"


def test_it_shows_the_shortest_way() -> None:
    assert str(explore(Counter(forbidden=4))) == "4 is forbidden, after\n  1. add 2\n  2. add 2"


def test_it_sees_an_end_that_is_none() -> None:
    assert explore(Counter(goal=7)).violation == "ends at 6"


def test_it_refuses_what_it_cannot_finish() -> None:
    with pytest.raises(OverflowError, match="more than 3 states"):
        explore(Counter(), limit=3)
