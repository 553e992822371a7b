"""Walks through every interleaving of a small model, breadth first: the first violation is a shortest one."""

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

S = TypeVar("S", bound=Hashable)
STATES = 1_000_000


class Model(Protocol[S]):
    """A model: where it starts, what may happen next, and what must never be so."""

    def initial(self) -> S:
        """Return the first state."""

    def steps(self, state: S) -> Iterable[tuple[str, S]]:
        """Return everything that may happen next as (label, new state)."""

    def wrong(self, state: S) -> str | None:
        """Say what is wrong in a state, None when nothing is."""

    def unfinished(self, state: S) -> str | None:
        """Say what is missing in a state after which nothing more happens."""


@dataclass(frozen=True)
class Finding(Generic[S]):
    """What was found: how many states there are, or the violation and the shortest way to it."""

    states: int
    violation: str | None = None
    trace: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if self.violation is None:
            return f"holds in all {self.states} states"
        steps = "\n".join(f"  {number}. {label}" for number, label in enumerate(self.trace, start=1))
        return f"{self.violation}, after\n{steps}"


def explore(model: Model[S], *, limit: int = STATES) -> Finding[S]:
    """Visit every state that can be reached; stop at the first violation."""
    first = model.initial()
    before: dict[S, tuple[S, str] | None] = {first: None}
    waiting = deque([first])
    while waiting:
        state = waiting.popleft()
        following = list(model.steps(state))
        wrong = model.wrong(state) or (None if following else model.unfinished(state))
        if wrong is not None:
            return Finding(len(before), wrong, _trace(before, state))
        for label, successor in following:
            if successor not in before:
                before[successor] = (state, label)
                waiting.append(successor)
        if len(before) > limit:
            raise OverflowError(f"more than {limit} states; make the model smaller")
    return Finding(len(before))


def _trace(before: dict[S, tuple[S, str] | None], state: S) -> list[str]:
    labels = []
    while (step := before[state]) is not None:
        state, label = step
        labels.append(label)
    return labels[::-1]
