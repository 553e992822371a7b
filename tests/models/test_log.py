"""The log: number = highest known + 1, write-once, ordered batches (core §1), and a follower of it (core §2).

A writes two entries in one batch, the second with an event id; a sweeper S repeats that one; B writes two.
What a publisher knows of the top may be stale, A may die, replies and announcements may be lost.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tests.models.explorer import explore

Entry = str  # "A.a1": who wrote it and what; both together stand for `w`
HAVE_EVENT_ID = ("L",)


class Publisher(NamedTuple):
    """A publisher in its batch: the top it knows, the number of its next item, None while not numbered."""

    name: str
    top: int = 0
    number: int | None = None
    done: int = 0
    alive: bool = True


class Follower(NamedTuple):
    """A room in a process: its head, what was heard out of order, what it released."""

    head: int = 0
    heard: frozenset[int] = frozenset()
    got: tuple[Entry, ...] = ()


class State(NamedTuple):
    """The log (None is a hole), its publishers, the announced numbers and a follower."""

    log: tuple[Entry | None, ...]
    publishers: tuple[Publisher, ...]
    announced: frozenset[int]
    follower: Follower


BATCHES = {"A": ("a1", "L"), "B": ("b1", "b2"), "S": ("L",)}
Step = tuple[str, State]


class Log:
    """The algorithm; its mutants leave out the order inside a batch, or the unique event id."""

    def __init__(self, *, ordered: bool = True, event_ids: bool = True) -> None:
        self.ordered = ordered
        self.event_ids = event_ids

    def initial(self) -> State:
        return State((), tuple(Publisher(name) for name in BATCHES), frozenset(), Follower())

    def steps(self, state: State) -> Iterator[Step]:
        for index, publisher in enumerate(state.publishers):
            if publisher.alive:
                for label, changed, log, announced in self._publisher(state, publisher):
                    others = state.publishers[:index], state.publishers[index + 1 :]
                    after = State(log, (*others[0], changed, *others[1]), announced, state.follower)
                    if after != state:
                        yield f"{publisher.name}: {label}", after
        yield from self._follower(state)

    def _publisher(
        self, state: State, p: Publisher
    ) -> Iterator[tuple[str, Publisher, tuple[Entry | None, ...], frozenset[int]]]:
        log, announced = state.log, state.announced
        if p.top < len(log) and p.number is None:
            yield f"hears of {p.top + 1}", p._replace(top=p.top + 1), log, announced
        if p.name == "A":
            yield "kill -9", p._replace(alive=False), log, announced
        if p.done == len(BATCHES[p.name]):
            return
        if p.number is None:
            yield f"numbers its batch from {p.top + 1}", p._replace(number=p.top + 1), log, announced
        else:
            yield from self._insert(state, p, p.number)

    def _insert(
        self, state: State, p: Publisher, n: int
    ) -> Iterator[tuple[str, Publisher, tuple[Entry | None, ...], frozenset[int]]]:
        log, announced = state.log, state.announced
        text = BATCHES[p.name][p.done]
        mine = f"{p.name}.{text}"
        there = log[n - 1] if n <= len(log) else None
        known = p._replace(top=max(p.top, n), number=n + 1, done=p.done + 1)
        if self.event_ids and _has(log, text):
            yield f"{text} is in the log already", p._replace(done=p.done + 1), log, announced
        elif there is None:
            longer = _put(log, n, mine)
            yield f"inserts {text}@{n}", known, longer, announced | {n}
            yield f"inserts {text}@{n}, the announcement is lost", known, longer, announced
            yield f"inserts {text}@{n}, the reply is lost", p, longer, announced
        elif there == mine:
            yield f"{text}@{n} was its own", known, log, announced | {n}
        else:
            top = max(number for number, e in enumerate(log, start=1) if e)
            yield (
                f"{n} is taken, renumbers from {top + 1}",
                p._replace(top=top, number=top + 1),
                log,
                announced,
            )
            for text in () if self.ordered else BATCHES[p.name][p.done + 1 :]:
                if n == len(log) and not _has(log, text):
                    longer = _put(log, n + 1, f"{p.name}.{text}")
                    yield f"{text}@{n + 1} goes in all the same", p, longer, announced

    def _follower(self, state: State) -> Iterator[Step]:
        follower = state.follower
        for n in state.announced:
            if n > follower.head and n not in follower.heard:
                yield (
                    f"follower hears {n}",
                    state._replace(follower=follower._replace(heard=follower.heard | {n})),
                )
        n = follower.head + 1
        if n in follower.heard or n <= len(state.log):
            entry = state.log[n - 1]
            if entry is not None:
                how = "releases" if n in follower.heard else "pulls"
                after = Follower(n, follower.heard - {n}, (*follower.got, entry))
                yield f"follower {how} {n}", state._replace(follower=after)

    def wrong(self, state: State) -> str | None:
        log, got = state.log, state.follower.got
        if None in log:
            return f"a hole in the log: {log}"
        if got != log[: len(got)]:
            return f"the follower has {got}, the log is {log}"
        texts = [_text(e) for e in log if e]
        if len(texts) != len(set(texts)):
            return f"twice in the log: {texts}"
        for name in ("A", "B"):
            mine = [_text(e) for e in log if e and e[0] == name]
            if mine != [text for text in BATCHES[name] if text in mine]:
                return f"order of {name} broken: {texts}"
        return None

    def unfinished(self, state: State) -> str | None:
        if state.follower.head != len(state.log):
            return f"the follower is stuck at {state.follower.head} of {len(state.log)}"
        missing = {"L", "b1", "b2"} - {_text(e) for e in state.log if e}
        return f"never published: {missing}" if missing else None


def _text(entry: Entry) -> str:
    return entry.split(".")[1]


def _has(log: tuple[Entry | None, ...], text: str) -> bool:
    """Tell whether an event with this event id is in the log."""
    return text in HAVE_EVENT_ID and any(e and _text(e) == text for e in log)


def _put(log: tuple[Entry | None, ...], n: int, entry: Entry) -> tuple[Entry | None, ...]:
    log += (None,) * (n - len(log))
    return (*log[: n - 1], entry, *log[n:])


def test_the_log_has_no_hole_and_every_event_once() -> None:
    found = explore(Log())
    assert found.violation is None, str(found)
    assert found.states > 50_000


def test_an_unordered_batch_breaks_it() -> None:
    found = str(explore(Log(ordered=False)))
    assert "order of" in found
    assert "goes in all the same" in found


def test_a_repeated_event_without_its_id_is_there_twice() -> None:
    assert "twice in the log" in str(explore(Log(event_ids=False)))
