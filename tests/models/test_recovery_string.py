"""One string per event recovers all rooms of a connection, because it holds all cursors (core §6)."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from tests.models.explorer import explore

ROOMS = "xy"
EACH = 2
Event = tuple[str, int]


class State(NamedTuple):
    """What was sent, how much of it arrived, whether the process lives, what the client has in the end."""

    sent: tuple[Event, ...] = ()
    arrived: int = 0
    memory: bool = True
    phase: Literal["up", "down", "done"] = "up"
    has: tuple[Event, ...] = ()


class Recovery:
    """A client of two rooms; the mutant's string names only the event's own room, memory knows the rest."""

    def __init__(self, *, all_rooms: bool) -> None:
        self.all_rooms = all_rooms

    def initial(self) -> State:
        return State()

    def steps(self, s: State) -> Iterator[tuple[str, State]]:
        if s.phase == "up":
            for room in ROOMS:
                n = sum(r == room for r, _ in s.sent) + 1
                if n <= EACH:
                    yield f"send {room}{n}", s._replace(sent=(*s.sent, (room, n)))
            if s.arrived < len(s.sent):
                yield f"{s.sent[s.arrived]} arrives", s._replace(arrived=s.arrived + 1)
            yield "the connection drops", s._replace(phase="down")
            yield "the server is killed", s._replace(phase="down", memory=False)
        elif s.phase == "down":
            cursors = self._cursors(s)
            again = tuple((r, n) for r in ROOMS for n in range(cursors.get(r, 0) + 1, EACH + 1))
            yield f"recover after {cursors}", s._replace(phase="done", has=s.sent[: s.arrived] + again)

    def _cursors(self, s: State) -> dict[str, int]:
        """Return what the server knows from the string of the last event that arrived."""
        arrived = s.sent[: s.arrived]
        return dict(arrived if self.all_rooms or s.memory else arrived[-1:])

    def wrong(self, s: State) -> str | None:
        if s.phase != "done":
            return None
        if len(s.has) != len(set(s.has)):
            return f"twice at the client: {s.has}"
        return None if len(s.has) == EACH * len(ROOMS) else f"lost: {s.has}"

    def unfinished(self, s: State) -> str | None:
        return None if s.phase == "done" else "never recovered"


def test_a_string_with_all_rooms_recovers_each_event_once() -> None:
    assert explore(Recovery(all_rooms=True)).violation is None


def test_a_string_without_the_other_rooms_repeats_them_after_a_kill() -> None:
    found = explore(Recovery(all_rooms=False))
    assert found.violation is not None
    assert "twice" in found.violation
    assert "the server is killed" in found.trace
