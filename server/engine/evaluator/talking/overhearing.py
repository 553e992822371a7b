"""Lets who listens to a result hear its calls while they go on (evaluators §5)."""

from collections.abc import Callable

import numpy as np
import orjson

from schemas.evaluator_run import EvaluatorRun
from server.engine.evaluator.lines.call_sound import Tick
from server.engine.evaluator.rooms import result_room
from server.rooms.entry import Sound

TICKS = 5  # 100 ms: few enough events, and not much later than it was said


class Overhearing:
    """Tells of a call in pieces of 100 ms: stereo, the caller on the left. Each call wants its own."""

    def __init__(self, run: EvaluatorRun, *, tell: Callable[[Sound], None]) -> None:
        self._room = result_room(run.result)
        self._head = orjson.dumps({"result_id": run.result, "run_id": run.id, "room": self._room})
        self._tell = tell
        self._mine = bytearray()
        self._theirs = bytearray()
        self._ticks = 0

    def take(self, tick: Tick) -> None:
        """Take 20 ms of both sides."""
        self._mine += tick.mine
        self._theirs += tick.theirs
        self._ticks += 1
        if self._ticks < TICKS:
            return
        both = np.column_stack((np.frombuffer(self._mine, "<i2"), np.frombuffer(self._theirs, "<i2")))
        self._tell(Sound(self._room, "run_audio", self._head, both.tobytes()))
        self._mine, self._theirs, self._ticks = bytearray(), bytearray(), 0
