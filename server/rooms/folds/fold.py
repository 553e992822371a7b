"""What a fold is: a pure function from a room's entries to its state (core §9)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

State = dict[str, Any]
Data = dict[str, Any]
MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Fold:
    """A fold: its start, one step (changes the state in place), and how a state of one's own is rendered."""

    initial: Callable[[], State]
    step: Callable[[State, str, Data], None]
    render: Callable[[State], State]

    def show(self, state: State) -> State:
        """Return what clients see of a state; shares nothing with it."""
        return self.render(orjson.loads(orjson.dumps(state)))
