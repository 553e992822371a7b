"""State and its events are one write, finished by whoever lives (core §11)."""

from collections.abc import Iterator
from typing import NamedTuple

from tests.models.explorer import explore


class State(NamedTuple):
    """Two changes of an aggregate: what is stored, what waits, the log, and which processes live."""

    stored: int = 0
    outbox: tuple[int, ...] = ()
    log: tuple[int, ...] = ()
    mine: tuple[tuple[int, ...] | None, ...] = (None, None)
    alive: tuple[bool, bool] = (True, True)


class Aggregate:
    """Two processes change an aggregate one after the other and publish; a sweeper finishes what they leave.

    A change hands out all events that wait (`all_waiting`), else the second process may overtake the first.
    The other mutants keep no events with the state, or forget event ids.
    """

    def __init__(self, *, outbox: bool = True, all_waiting: bool = True, event_ids: bool = True) -> None:
        self.outbox = outbox
        self.all_waiting = all_waiting
        self.event_ids = event_ids

    def initial(self) -> State:
        return State()

    def steps(self, s: State) -> Iterator[tuple[str, State]]:
        for p in (0, 1):
            if s.alive[p]:
                yield from self._process(s, p)
        if s.outbox:
            yield "sweeper publishes", s._replace(log=self._published(s.log, s.outbox[0]))
            if s.outbox[0] in s.log:
                yield "sweeper clears", s._replace(outbox=s.outbox[1:])

    def _process(self, s: State, p: int) -> Iterator[tuple[str, State]]:
        yield f"{p}: kill -9", s._replace(alive=_set(s.alive, p, False))
        mine = s.mine[p]
        if mine is None and s.stored == p:
            waiting = (*s.outbox, p) if self.outbox else ()
            todo = waiting if self.outbox and self.all_waiting else (p,)
            yield f"{p}: store", s._replace(stored=p + 1, outbox=waiting, mine=_set(s.mine, p, todo))
        elif mine:
            after = s._replace(log=self._published(s.log, mine[0]), mine=_set(s.mine, p, mine[1:]))
            yield f"{p}: publish {mine[0]}", after
        elif mine == () and p in s.outbox:
            yield f"{p}: clear", s._replace(outbox=tuple(e for e in s.outbox if e != p))

    def _published(self, log: tuple[int, ...], event: int) -> tuple[int, ...]:
        return log if len(log) > 3 or (self.event_ids and event in log) else (*log, event)

    def wrong(self, s: State) -> str | None:
        if len(s.log) != len(set(s.log)):
            return f"twice in the log: {s.log}"
        if s.log != tuple(sorted(s.log)):
            return f"the second change is told first: {s.log}"
        return None

    def unfinished(self, s: State) -> str | None:
        lost = [p for p in range(s.stored) if p not in s.log]
        return f"stored, and the room never sees it: {lost}" if lost else None


def _set(values: tuple, index: int, value: object) -> tuple:  # type: ignore[type-arg]
    return (*values[:index], value, *values[index + 1 :])


def test_each_stored_change_is_told_once_and_in_order() -> None:
    found = explore(Aggregate())
    assert found.violation is None, str(found)


def test_without_an_outbox_a_kill_loses_an_event() -> None:
    assert "never sees it" in str(explore(Aggregate(outbox=False)))


def test_without_event_ids_the_sweeper_repeats_one() -> None:
    assert "twice in the log" in str(explore(Aggregate(event_ids=False)))


def test_publishing_only_ones_own_events_overtakes() -> None:
    assert "told first" in str(explore(Aggregate(all_waiting=False)))
