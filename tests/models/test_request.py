"""A client_event_id acts once, also concurrently and after a death: it is inserted first (core §14)."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from tests.models.explorer import explore

Doing = Literal["start", "claimed", "acted", "answered", "waits", "dead"]


class State(NamedTuple):
    """Who holds the request, whether it is done, how often it acted, and what the two processes are doing."""

    owner: int | None = None
    done: bool = False
    effects: int = 0
    doing: tuple[Doing, Doing] = ("start", "start")


class Request:
    """The same request reaches two processes; the mutants look before they insert, or act with new ids."""

    def __init__(self, *, insert_first: bool = True, write_once: bool = True) -> None:
        self.insert_first = insert_first
        self.write_once = write_once

    def initial(self) -> State:
        return State()

    def steps(self, s: State) -> Iterator[tuple[str, State]]:
        for me in (0, 1):
            for label, changed, doing in self._process(s, me):
                both = (doing, s.doing[1]) if me == 0 else (s.doing[0], doing)
                yield f"{me}: {label}", changed._replace(doing=both)

    def _process(self, s: State, me: int) -> Iterator[tuple[str, State, Doing]]:
        doing, other = s.doing[me], s.doing[1 - me]
        if doing in ("dead", "answered"):
            return
        if me == 0:
            yield "kill -9", s, "dead"
        if doing == "start":
            if s.owner is None:
                held = s._replace(owner=me) if self.insert_first else s
                yield "claim", held, "claimed"
            else:
                yield "it is claimed already", s, "waits"
        elif doing == "claimed":
            effects = 1 if self.write_once and s.effects else s.effects + 1
            yield "act", s._replace(effects=effects, owner=me), "acted"
        elif doing == "acted":
            yield "remember the answer", s._replace(done=True), "answered"
        elif s.done:
            yield "give the remembered answer", s, "answered"
        elif other == "dead":
            yield "take over", s._replace(owner=me), "claimed"

    def wrong(self, s: State) -> str | None:
        return f"acted {s.effects} times" if s.effects > 1 else None

    def unfinished(self, s: State) -> str | None:
        unanswered = [me for me in (0, 1) if s.doing[me] not in ("answered", "dead")]
        return f"no answer from {unanswered}" if unanswered else None


def test_a_repeated_request_acts_once_and_is_answered() -> None:
    found = explore(Request())
    assert found.violation is None, str(found)


def test_looking_before_inserting_acts_twice() -> None:
    found = explore(Request(insert_first=False, write_once=False))
    assert found.violation == "acted 2 times"
    assert "0: kill -9" not in found.trace


def test_taking_over_with_new_ids_acts_twice() -> None:
    found = explore(Request(write_once=False))
    assert found.violation == "acted 2 times"
    assert "1: take over" in found.trace
