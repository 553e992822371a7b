"""A snapshot and the entries after it are the whole, because the snapshot is a fold of the log (core §9)."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import pytest

from tests.models.explorer import explore

MESSAGES = 2
Way = Literal["fold", "store, then head", "head, then store"]


class State(NamedTuple):
    """Messages in the store and in the log; what the joiner read, its offset, and what it sees in the end."""

    stored: int = 0
    logged: int = 0
    snapshot: int | None = None
    offset: int | None = None
    view: int | None = None


class Join:
    """Messages go into the store and then into the log, while somebody joins."""

    def __init__(self, way: Way) -> None:
        self.way = way

    def initial(self) -> State:
        return State()

    def steps(self, s: State) -> Iterator[tuple[str, State]]:
        if s.stored < MESSAGES and s.stored == s.logged:
            yield f"store message {s.stored + 1}", s._replace(stored=s.stored + 1)
        if s.logged < s.stored:
            yield f"log message {s.logged + 1}", s._replace(logged=s.logged + 1)
        if s.view is None:
            yield from self._read(s)
        if s.view is None and s.snapshot is not None and s.offset is not None and s.logged == MESSAGES:
            yield "apply the entries after the offset", s._replace(view=s.snapshot + s.logged - s.offset)

    def _read(self, s: State) -> Iterator[tuple[str, State]]:
        if self.way == "fold":
            if s.snapshot is None:
                yield f"take the fold at {s.logged}", s._replace(snapshot=s.logged, offset=s.logged)
            return
        if s.snapshot is None and (self.way == "store, then head" or s.offset is not None):
            yield f"read the store: {s.stored}", s._replace(snapshot=s.stored)
        if s.offset is None and (self.way == "head, then store" or s.snapshot is not None):
            yield f"read the head: {s.logged}", s._replace(offset=s.logged)

    def wrong(self, s: State) -> str | None:
        return None if s.view in (None, MESSAGES) else f"the view has {s.view} messages of {MESSAGES}"

    def unfinished(self, s: State) -> str | None:
        return "no view" if s.view is None else None


def test_a_fold_never_disagrees_with_the_entries_after_it() -> None:
    assert explore(Join("fold")).violation is None


@pytest.mark.parametrize("way", ["store, then head", "head, then store"])
def test_a_snapshot_beside_the_log_disagrees_in_either_order(way: Way) -> None:
    assert "the view has 3 messages of 2" in str(explore(Join(way)))
