"""Calls begin in their order, never more than allowed at once, and none of them waits for ever."""

import asyncio
from functools import partial

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from server.engine.batch.pacing import FIRST_PAUSE, LONGEST_PAUSE, LONGEST_STORM, MAX_PAUSE, Line, Pace, Turn
from server.errors import RateLimited

MOST = 8
MANY = 1_000_000


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Calls(RuleBasedStateMachine):
    """Calls that come, end in all ways and give up, in any order."""

    turns = Bundle("turns")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.line = Line(MOST, clock=self.clock)
        self.begun: set[int] = set()
        self.waiting: dict[int, Turn] = {}
        self.under_way: dict[int, Turn] = {}
        self.ages = 0
        self.success = self.clock.now

    @rule(target=turns)
    def enter(self) -> Turn:
        age, self.ages = self.ages, self.ages + 1
        turn = self.line.enter(age, lambda: self.woken(age))
        if turn.begun and age not in self.begun:
            self.begin(age, turn)
        elif turn.lost:
            assert self.line.pause > 0
        elif not turn.begun:
            self.waiting[age] = turn
        return turn

    def woken(self, age: int) -> None:
        turn = self.waiting.pop(age, None)
        if turn is not None and turn.lost:
            assert self.clock.now - self.success >= LONGEST_STORM
            return
        assert age < min(self.waiting, default=MANY)
        self.begin(age, turn)

    def begin(self, age: int, turn: Turn | None) -> None:
        assert age not in self.begun
        assert self.line.under_way <= self.line.limit <= MOST
        assert self.line.pause == 0
        self.begun.add(age)
        if turn is not None:
            self.under_way[age] = turn

    @rule(turn=consumes(turns), how=st.sampled_from(["succeeded", "ended", "given up"]))
    def end(self, turn: Turn, how: str) -> None:
        self.waiting.pop(turn.age, None)
        ours = self.under_way.pop(turn.age, None)
        if how == "given up" or ours is None:
            self.line.give_up(turn)
        elif how == "succeeded":
            self.success = self.clock.now
            self.line.succeeded(turn)
        else:
            self.line.ended(turn)

    @rule(turn=consumes(turns), seconds=st.one_of(st.none(), st.floats(0, 2_000)))
    def refuse(self, turn: Turn, seconds: float | None) -> None:
        if self.under_way.pop(turn.age, None) is not None:
            before = self.line.limit
            halved = self.line.refused(turn, retry_after=seconds)
            assert self.line.limit == (max(1, before // 2) if halved else before)
            assert self.line.pause >= min(seconds or 0, MAX_PAUSE) - 1e-6
        else:
            self.waiting.pop(turn.age, None)
            self.line.give_up(turn)

    @rule(seconds=st.floats(0, 700))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        self.line.admit()

    @invariant()
    def holds(self) -> None:
        assert self.line.under_way == len(self.under_way) <= MOST
        assert 1 <= self.line.limit <= MOST
        assert self.line.pause <= MAX_PAUSE + 1e-6
        assert self.line.waiting == bool(self.waiting)
        if self.waiting and not self.line.pause:
            self.line.admit()  # what the timer does when the pause is over
            assert not self.waiting or self.line.under_way >= self.line.limit

    def teardown(self) -> None:
        """Nobody starves: once calls end and the pause is over, all who wait begin."""
        for _ in range(self.ages + 1):
            self.clock.now += MAX_PAUSE
            self.line.admit()
            for turn in list(self.under_way.values()):
                del self.under_way[turn.age]
                self.line.ended(turn)
        assert not self.waiting
        assert self.line.under_way == 0


TestCalls = Calls.TestCase


def begun(line: Line, count: int) -> list[Turn]:
    turns = [line.enter(age) for age in range(count)]
    assert all(turn.begun for turn in turns)
    return turns


def test_a_burst_of_refusals_halves_once() -> None:
    clock = Clock()
    line = Line(16, clock=clock)
    halved = [line.refused(turn, retry_after=2.0) for turn in begun(line, 16)]
    assert halved == [True] + [False] * 15
    assert (line.limit, line.pause) == (8, 2.0)
    clock.now += 2
    assert line.refused(line.enter(20), retry_after=None)
    assert line.limit == 4


def test_the_limit_grows_by_one_per_as_many_successes() -> None:
    clock = Clock()
    line = Line(4, clock=clock)
    line.refused(line.enter(0), retry_after=1.0)
    clock.now += 1
    limits = []
    for age in range(12):
        line.succeeded(line.enter(age))
        limits.append(line.limit)
    assert limits == [2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4]


def test_calls_that_began_before_the_halving_do_not_raise_the_limit() -> None:
    line = Line(4, clock=Clock())
    first, *others = begun(line, 4)
    line.refused(first, retry_after=1.0)
    for turn in others:
        line.succeeded(turn)
    assert line.limit == 2


def test_successes_that_come_late_end_a_storm() -> None:
    clock = Clock()
    line = Line(4, clock=clock)
    for age in range(10):
        first, second = line.enter(age), line.enter(age)
        line.refused(first, retry_after=0.1)
        line.succeeded(second)
        assert line.pause < FIRST_PAUSE
        clock.now += 0.1
        line.limit = 2


def test_refusals_without_a_time_pause_longer_and_longer_until_a_success() -> None:
    clock = Clock()
    line = Line(1, clock=clock)
    pauses = []
    for age in range(10):
        line.refused(line.enter(age), retry_after=None)
        pauses.append(line.pause)
        clock.now += line.pause
    assert pauses[:3] == [FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4]
    assert pauses[-1] == LONGEST_PAUSE
    line.succeeded(line.enter(10))
    line.refused(line.enter(11), retry_after=0.0)
    assert line.pause == FIRST_PAUSE


def test_an_endpoint_that_names_ever_too_short_times_is_not_asked_ever_again_at_once() -> None:
    clock = Clock()
    line = Line(1, clock=clock)
    for age in range(4):
        clock.now += line.pause
        line.refused(line.enter(age), retry_after=0.001)
    assert line.pause == FIRST_PAUSE * 8


def test_after_ten_minutes_of_refusals_calls_fail_until_one_goes_well() -> None:
    clock = Clock()
    line = Line(2, clock=clock)
    line.refused(line.enter(0), retry_after=LONGEST_STORM)
    early = line.enter(1)
    assert not early.lost
    clock.now += LONGEST_STORM
    line.admit()
    woken: list[int] = []
    waiting = [line.enter(age, partial(woken.append, age)) for age in (2, 3)]
    assert early.begun
    line.refused(early, retry_after=5.0)
    assert [turn.lost for turn in waiting] == [True, True]
    assert woken == [2, 3]
    assert not line.waiting
    assert line.enter(4).lost
    clock.now += line.pause
    probe, behind = line.enter(5), line.enter(6)
    assert probe.begun
    line.succeeded(probe)
    assert behind.begun
    line.refused(behind, retry_after=1.0)
    assert not line.enter(7).lost


def test_an_older_call_goes_first() -> None:
    line = Line(1, clock=Clock())
    order: list[int] = []
    under_way = line.enter(0)
    waiting = {age: line.enter(age, partial(order.append, age)) for age in (5, 3, 9)}
    line.ended(under_way)
    for age in (3, 5, 9):
        line.ended(waiting[age])
    assert order == [3, 5, 9]


async def test_a_turn_granted_to_a_cancelled_call_goes_to_the_next() -> None:
    pace = Pace(1)
    first = await pace.begin(0)
    gone = asyncio.create_task(pace.begin(1))
    stays = asyncio.create_task(pace.begin(2))
    await asyncio.sleep(0)
    pace.ended(first)
    gone.cancel()  # it has its turn by now, and has not run yet
    with pytest.raises(asyncio.CancelledError):
        await gone
    async with asyncio.timeout(20):
        pace.ended(await stays)


async def test_those_who_wait_go_on_when_the_pause_is_over() -> None:
    pace = Pace(1)
    first = await pace.begin(0)
    waiting = [asyncio.create_task(pace.begin(age)) for age in (1, 2)]
    await asyncio.sleep(0)
    pace.refused(first, retry_after=0.02)
    async with asyncio.timeout(20):
        second = await waiting[0]
        assert not waiting[1].done()
        pace.refused(second, retry_after=0.02)
        pace.succeeded(await waiting[1])


async def test_calls_that_are_lost_say_so() -> None:
    pace = Pace(1)
    clock = Clock()
    pace._line = Line(1, clock=clock)
    first = await pace.begin(0)
    waiting = asyncio.create_task(pace.begin(1))
    await asyncio.sleep(0)
    pace.refused(first, retry_after=60)
    clock.now += LONGEST_STORM
    pace._line.admit()
    second = await waiting
    third = asyncio.create_task(pace.begin(2))
    await asyncio.sleep(0)
    pace.refused(second, retry_after=60)
    for late in (third, pace.begin(3)):
        with pytest.raises(RateLimited, match="10 minutes") as raised:
            await late
        assert not raised.value.may_retry


async def test_a_pause_that_nobody_waits_for_leaves_no_timer() -> None:
    pace = Pace(1)
    pace.refused(await pace.begin(0), retry_after=60)
    waiting = asyncio.create_task(pace.begin(1))
    await asyncio.sleep(0)
    assert pace._timer is not None
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert pace._timer is None
