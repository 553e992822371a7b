"""From pulling to pushing: send the page, compare with the head and become live in one tick (core §3.3)."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from tests.models.explorer import explore

LAST = 4
Doing = Literal["read", "send", "compare", "join"]


class State(NamedTuple):
    """A room's head, and a follower: its cursor, whether it is live, its pump, what the client got."""

    head: int = 0
    cursor: int = 0
    live: bool = False
    doing: Doing = "read"
    page_end: int = 0
    got: tuple[int, ...] = ()


Step = tuple[str, State]


class Switch:
    """The pump of one follower; the mutant awaits something between the page and the switch."""

    def __init__(self, *, one_tick: bool) -> None:
        self.one_tick = one_tick

    def initial(self) -> State:
        return State()

    def steps(self, s: State) -> Iterator[Step]:
        if s.head < LAST:
            n = s.head + 1
            after = s._replace(head=n)
            yield f"release {n}", after._replace(cursor=n, got=(*s.got, n)) if s.live else after
        if not s.live:
            yield self._pump(s)

    def _pump(self, s: State) -> Step:
        if s.doing == "read":
            return f"read ({s.cursor}, {s.head}]", s._replace(doing="send", page_end=s.head)
        if s.doing == "send":
            got = (*s.got, *range(s.cursor + 1, s.page_end + 1))
            sent = s._replace(cursor=s.page_end, got=got)
            if self.one_tick:
                return f"send up to {s.page_end}", sent._replace(doing="read", live=s.page_end == s.head)
            return f"send up to {s.page_end}", sent._replace(doing="compare")
        if s.doing == "compare":
            return f"compare {s.cursor} with {s.head}", s._replace(
                doing="join" if s.cursor == s.head else "read"
            )
        return "become live", s._replace(live=True, doing="read")

    def wrong(self, s: State) -> str | None:
        return None if s.got == tuple(range(1, len(s.got) + 1)) else f"delivered {s.got}"

    def unfinished(self, s: State) -> str | None:
        return None if s.live and len(s.got) == LAST else f"ends with {s.got}"


def test_the_switch_in_one_tick_loses_nothing() -> None:
    assert explore(Switch(one_tick=True)).violation is None


def test_an_await_in_the_switch_leaves_a_hole() -> None:
    assert explore(Switch(one_tick=False)).violation == "delivered (2,)"
