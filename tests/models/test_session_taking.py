"""Of several connections of one session the newest is left, and it alone changes the record (core §6)."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import pytest

from tests.models.explorer import explore

HOMES = {"old": "p", "second": "p", "third": "p", "elsewhere": "q"}
ARRIVALS = tuple(HOMES)
Rule = Literal["turns", "arrivals", "giving up"]


class Holder(NamedTuple):
    """A connection: how far it is, the turn that it has read or taken, and the rooms that it knows of.

    `wants` tells whether its process knows that it wants this session, and may have it.
    """

    name: str
    phase: Literal["comes", "found", "asks", "taken", "here", "joined", "gone"]
    turn: int = 0
    rooms: int = 0
    wants: bool = False

    @property
    def home(self) -> str:
        return HOMES[self.name]

    @property
    def arrival(self) -> int:
        return ARRIVALS.index(self.name)

    @property
    def lives(self) -> bool:
        return self.phase in ("here", "joined")


class State(NamedTuple):
    """The record (its home, turn, and by alias who joined the room there), and the connections."""

    holders: tuple[Holder, ...]
    home: str = "p"
    turn: int = 0
    rooms: tuple[str, ...] = ()
    damage: str | None = None


class Taking:
    """Each newcomer finds the record, takes it, hears of that, cuts an older one beside it, and joins a room.

    Before it takes it, it gives way to a later one of its process that wants it too. Who was not quick enough
    tries again; who hears of its turn when a later one is there already gives up. A mutant lacks rules:
    its record names the home alone, so that it cannot tell two connections of one process apart; or
    nobody gives way; or nobody gives up, but tries again.
    """

    def __init__(self, *names: str, without: tuple[Rule, ...] = ()) -> None:
        self.names = names
        self.without = without

    def initial(self) -> State:
        newcomers = (Holder(name, "comes") for name in self.names)
        return State((Holder("old", "here"), *newcomers))

    def steps(self, s: State) -> Iterator[tuple[str, State]]:
        for holder in s.holders:
            if holder.phase == "comes":
                found = holder._replace(phase="found", turn=s.turn)
                yield f"{holder.name} finds the record", _with(s, found)
            elif holder.phase == "found":
                yield f"{holder.name} asks for it, unless a later one does", self._ask(s, holder)
            elif holder.phase == "asks":
                yield f"{holder.name} takes it, if nobody was faster", self._take(s, holder)
            elif holder.phase == "taken":
                yield f"{holder.name} hears that it was taken", self._install(s, holder)
            elif holder.phase == "here":
                yield f"{holder.name} joins a room", self._join(s, holder)
            if holder.lives and s.home != holder.home:
                yield f"{holder.name} is swept away", _with(s, holder._replace(phase="gone"))

    def _ask(self, s: State, holder: Holder) -> State:
        late = any(
            other.wants and other.phase != "gone" and other.arrival > holder.arrival
            for other in s.holders
            if other.home == holder.home
        )
        if late and "arrivals" not in self.without:
            return _with(s, holder._replace(phase="gone"))
        return _with(s, holder._replace(phase="asks", wants=True))

    def _take(self, s: State, holder: Holder) -> State:
        if "turns" not in self.without and holder.turn != s.turn:
            return _with(s, holder._replace(phase="comes"))
        taken = holder._replace(phase="taken", turn=s.turn + 1, rooms=len(s.rooms))
        return _with(s, taken)._replace(home=holder.home, turn=s.turn + 1)

    def _install(self, s: State, holder: Holder) -> State:
        """Cut the older connection beside this one, or give this one up if it is the older."""
        beside = [h for h in s.holders if h.lives and h.home == holder.home]
        if any(other.turn > holder.turn for other in beside):
            return _with(s, holder._replace(phase="comes" if "giving up" in self.without else "gone"))
        for other in beside:
            s = _with(s, other._replace(phase="gone"))
            if other.arrival > holder.arrival:
                s = s._replace(damage=f"{holder.name} cut {other.name}, which came later")
        return _with(s, holder._replace(phase="here"))

    def _join(self, s: State, holder: Holder) -> State:
        after = _with(s, holder._replace(phase="joined"))
        if s.home != holder.home or ("turns" not in self.without and s.turn != holder.turn):
            return after  # the store changes nothing
        if len(s.rooms) > holder.rooms:
            return after._replace(damage=f"{holder.name} gave the alias of {s.rooms[holder.rooms]} again")
        return after._replace(rooms=(*s.rooms, holder.name))

    def wrong(self, s: State) -> str | None:
        return s.damage

    def unfinished(self, s: State) -> str | None:
        left = [holder for holder in s.holders if holder.lives]
        if len(left) != 1:
            return f"{len(left)} connections are left"
        if left[0].turn != s.turn:
            return "the newest connection is not the one that is left"
        last = max(s.holders, key=lambda holder: holder.arrival)
        alone = {holder.home for holder in s.holders} == {last.home}
        return "the last to come is not the one that is left" if alone and left[0] != last else None


def _with(s: State, holder: Holder) -> State:
    return s._replace(holders=tuple(holder if h.name == holder.name else h for h in s.holders))


@pytest.mark.parametrize("names", [("second", "third"), ("second", "elsewhere"), tuple(HOMES)[1:]])
def test_the_newest_connection_alone_changes_the_record(names: tuple[str, ...]) -> None:
    found = explore(Taking(*names))
    assert found.violation is None, str(found)


def test_a_record_without_turns_is_changed_by_two() -> None:
    found = explore(Taking("second", "third", without=("turns",)))
    assert found.violation is not None
    assert "again" in found.violation


@pytest.mark.parametrize("without", [("arrivals",), ("arrivals", "giving up")])
@pytest.mark.parametrize("names", [("second", "third"), ARRIVALS[1:]])
def test_who_heeds_no_arrivals_cuts_who_came_later(without: tuple[Rule, ...], names: tuple[str, ...]) -> None:
    found = explore(Taking(*names, without=without))
    assert found.violation is not None
    assert "which came later" in found.violation
