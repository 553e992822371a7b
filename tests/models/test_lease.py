"""A reply's owner numbers nothing after its lease: nothing follows what a takeover has told (core §12)."""

from collections.abc import Iterator
from typing import NamedTuple

from tests.models.explorer import explore

DELTAS = 3


class State(NamedTuple):
    """The log, the owner's deltas and lease, what the new owner has folded, and others' entries."""

    log: tuple[str, ...] = ()
    told: int = 0
    number: int | None = None
    lease: bool = True
    folded: int | None = None
    noise: int = 0


class Lease:
    """The old owner publishes deltas, the new one folds them and tells the whole text.

    The owner looks at its lease whenever it gives a number: the first time, and again after a conflict.
    """

    def __init__(self, *, at_first: bool = True, at_renumbering: bool = True) -> None:
        self.at_first = at_first
        self.at_renumbering = at_renumbering

    def initial(self) -> State:
        return State()

    def steps(self, s: State) -> Iterator[tuple[str, State]]:
        if s.noise < 1:
            yield "somebody else publishes", s._replace(log=(*s.log, "other"), noise=s.noise + 1)
        if s.lease:
            yield "the lease passes", s._replace(lease=False)
        yield from self._owner(s)
        settled = s.number is None or s.number <= len(
            s.log
        )  # what is in flight lands before a takeover (2 s apart)
        if not s.lease and s.folded is None and settled:
            text = sum(e == "delta" for e in s.log)
            yield f"take over: fold {text} deltas", s._replace(folded=text)
        if s.folded is not None and "complete" not in s.log:
            yield "take over: tell the whole text", s._replace(log=(*s.log, "complete"))

    def _owner(self, s: State) -> Iterator[tuple[str, State]]:
        if s.told == DELTAS:
            return
        if s.number is None:
            if s.lease or not self.at_first:
                yield "number a delta", s._replace(number=len(s.log) + 1)
        elif s.number == len(s.log) + 1:
            yield "insert the delta", s._replace(log=(*s.log, "delta"), told=s.told + 1, number=None)
        elif s.lease or not self.at_renumbering:
            yield "the number is taken, renumber", s._replace(number=len(s.log) + 1)
        else:
            yield "the number is taken, the delta is refused", s._replace(number=None)

    def wrong(self, s: State) -> str | None:
        if "complete" not in s.log or s.folded is None:
            return None
        deltas = sum(e == "delta" for e in s.log)
        return None if deltas == s.folded else f"{deltas} deltas, but the text is made of {s.folded}"

    def unfinished(self, s: State) -> str | None:
        return None if "complete" in s.log else "the reply was never closed"


def test_the_whole_text_is_what_was_streamed() -> None:
    found = explore(Lease())
    assert found.violation is None, str(found)


def test_numbering_without_a_lease_streams_after_the_end() -> None:
    assert explore(Lease(at_first=False)).violation is not None


def test_renumbering_without_a_lease_streams_after_the_end() -> None:
    found = explore(Lease(at_renumbering=False))
    assert found.violation is not None
    assert "the number is taken, renumber" in found.trace
