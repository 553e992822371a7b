"""How many calls of a job are under way at once: fewer when the endpoint asks, more as it goes well."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush

from server.errors import RateLimited

MAX_PAUSE = 600.0  # of what an endpoint asks for
FIRST_PAUSE = 0.5  # after a refusal that names no time; doubled by each further round without a success
LONGEST_PAUSE = 60.0
TRUSTED = 3  # rounds without a success after which a shorter time than ours is not believed any more
LONGEST_STORM = 600.0  # of nothing but refusals; then calls fail instead of waiting
REFUSING = (
    "The model endpoint has refused every call for 10 minutes (HTTP 429); check its limits, try again later."
)


@dataclass(slots=True, eq=False)
class Turn:
    """A call that waits to begin or is under way; `round` counts the halvings before it began.

    A turn that is `lost` will not begin.
    """

    age: int
    wake: Callable[[], None] | None = None
    begun: bool = False
    given_up: bool = False
    lost: bool = False
    round: int = 0

    def __lt__(self, other: "Turn") -> bool:
        """Order by age, so that the oldest waits in front."""
        return self.age < other.age


class Line:
    """Says which calls may begin: the oldest first, never more than `limit` at once, none in a pause.

    A refusal (429) halves the limit, once per round trip: refusals of calls that began before the halving
    count as the same one. As many successes as the limit raise it by one, up to where it started. After ten
    minutes of nothing but refusals those who wait are lost, and so is who comes during a pause: one call per
    pause finds out whether it is over. Does no I/O: whoever uses it calls `admit` when `pause` is over.
    """

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = most
        self.under_way = 0
        self._most = most
        self._clock = clock
        self._waiting: list[Turn] = []
        self._resumes = 0.0
        self._round = 0
        self._successes = 0
        self._storm = 0  # rounds without a success
        self._storm_began = 0.0

    @property
    def waiting(self) -> bool:
        """Tell whether anybody waits."""
        return any(not turn.given_up for turn in self._waiting)

    @property
    def pause(self) -> float:
        """Return for how many seconds nothing begins."""
        if not self._resumes:
            return 0.0
        left = self._resumes - self._clock()
        if left > 0:
            return left
        self._resumes = 0.0
        return 0.0

    def enter(self, age: int, wake: Callable[[], None] | None = None) -> Turn:
        """Take a turn: it has `begun`, is `lost`, or `wake` is called when it is; `give_up` takes it back."""
        turn = Turn(age, wake)
        if self._is_hopeless() and self.pause:
            turn.lost = True
        elif not self._waiting and self.under_way < self.limit and not self.pause:
            self._begin(turn)
        else:
            heappush(self._waiting, turn)
            self.admit()
        return turn

    def give_up(self, turn: Turn) -> None:
        """Take back a turn, whether it has begun or not."""
        if turn.begun:
            self.ended(turn)
        turn.given_up = True

    def admit(self) -> None:
        """Let those begin that may."""
        while self._waiting and (self._waiting[0].given_up or (self._is_free() and not self.pause)):
            turn = heappop(self._waiting)
            if turn.given_up:
                continue
            self._begin(turn)
            if turn.wake is not None:
                turn.wake()

    def succeeded(self, turn: Turn) -> None:
        """End a turn whose call went well."""
        self._storm = 0
        if turn.round == self._round:
            self._successes += 1
            if self._successes >= self.limit:
                self._successes = 0
                self.limit = min(self.limit + 1, self._most)
        self.ended(turn)

    def refused(self, turn: Turn, *, retry_after: float | None) -> bool:
        """End a turn whose call came too early; tells whether the limit was halved for it."""
        halved = turn.round == self._round
        pause = min(retry_after, MAX_PAUSE) if retry_after and retry_after > 0 else 0.0
        if halved:
            if not pause or self._storm >= TRUSTED:
                pause = max(pause, min(FIRST_PAUSE * 2 ** min(self._storm, 10), LONGEST_PAUSE))
            self.limit = max(1, self.limit // 2)
            self._round += 1
            self._successes = 0
            self._storm_began = self._storm_began if self._storm else self._clock()
            self._storm += 1
        if pause:
            self._resumes = max(self._resumes, self._clock() + pause)
        self.ended(turn)
        if self._is_hopeless():
            self._lose_all()
        return halved

    def ended(self, turn: Turn) -> None:
        """End a turn whose call came to something else, which says nothing about the rate."""
        self.under_way -= 1
        turn.begun = False
        if self._waiting:
            self.admit()

    def _is_free(self) -> bool:
        return self.under_way < self.limit

    def _is_hopeless(self) -> bool:
        return bool(self._storm) and self._clock() - self._storm_began >= LONGEST_STORM

    def _lose_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.given_up:
                turn.lost = True
                if turn.wake is not None:
                    turn.wake()

    def _begin(self, turn: Turn) -> None:
        self.under_way += 1
        turn.begun = True
        turn.round = self._round


class Pace:
    """Lets the calls of a job wait for their turn in a Line; for one event loop."""

    def __init__(self, most: int) -> None:
        self._line = Line(most)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> int:
        """Return how many calls may be under way now."""
        return self._line.limit

    async def begin(self, age: int) -> Turn:
        """Wait for the turn of a call; those of a lower age come first. Cancelling is safe.

        Every turn is ended once, by `succeeded`, `refused` or `ended`. Raises RateLimited, not to be tried
        again, when the endpoint has refused everything for a long time.
        """
        turn = self._line.enter(age)
        if not turn.begun and not turn.lost:
            await self._woken(turn)
        if turn.lost:
            raise RateLimited(REFUSING, retryable=False)
        return turn

    async def _woken(self, turn: Turn) -> None:
        woken = asyncio.get_running_loop().create_future()
        turn.wake = lambda: None if woken.done() else woken.set_result(None)
        self._arm()
        try:
            await woken
        except asyncio.CancelledError:
            self._line.give_up(turn)
            self._disarm()
            raise

    def succeeded(self, turn: Turn) -> None:
        """End a turn whose call went well."""
        self._line.succeeded(turn)

    def refused(self, turn: Turn, *, retry_after: float | None) -> None:
        """End a turn whose call came too early."""
        self._line.refused(turn, retry_after=retry_after)
        if self._line.waiting:
            self._arm()

    def ended(self, turn: Turn) -> None:
        """End a turn whose call came to something else."""
        self._line.ended(turn)

    def _arm(self) -> None:
        """Have those that wait looked at when the pause is over; without one, every end lets them go on."""
        if self._timer is None and (pause := self._line.pause):
            self._timer = asyncio.get_running_loop().call_later(pause, self._resume)

    def _resume(self) -> None:
        self._timer = None
        self._line.admit()
        if self._line.waiting:
            self._arm()

    def _disarm(self) -> None:
        if self._timer is not None and not self._line.waiting:
            self._timer.cancel()
            self._timer = None
