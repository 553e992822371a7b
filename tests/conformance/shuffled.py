"""An event loop that runs what is ready in another order, so that luck is a seed and not the machine."""

import asyncio
import random
from collections import deque
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class ShuffledLoop(asyncio.SelectorEventLoop):
    """Shuffles the callbacks that are ready before each turn.

    What the database's threads and sockets do is beyond it: a seed repeats the choices, not the times.
    """

    _ready: deque[asyncio.Handle]

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)

    def _run_once(self) -> None:
        # one by one: the database's threads append to it meanwhile, and nothing of that may be lost
        ready = [self._ready.popleft() for _ in range(len(self._ready))]
        self._random.shuffle(ready)
        self._ready.extend(ready)
        super()._run_once()  # type: ignore[misc]


def run_shuffled(work: Coroutine[Any, Any, T], *, seed: int) -> T:
    """Run a coroutine on a loop that shuffles; a failure names its seed."""
    try:
        with asyncio.Runner(loop_factory=lambda: ShuffledLoop(seed)) as runner:
            return runner.run(work)
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
