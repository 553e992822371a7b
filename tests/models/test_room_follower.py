"""The real Room and Follower through every schedule of up to eight steps, and through long random ones."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from server.rooms.entry import Entry
from server.rooms.follower import Follower, Marker
from server.rooms.room import Room
from tests.models.world import Client, Step, World, Wrong, make_log

STEPS = 8
LOG = make_log(5, end=4)
LONG_LOG = make_log(40, end=25)


def replay(
    schedule: Sequence[Step], *, room: type[Room] = Room, follower: type[Follower] = Follower
) -> World:
    """Take the steps from the start: a room with two entries that are in the log only."""
    world = World(LOG, head=2, room_class=room, follower_class=follower)
    for step in schedule:
        world.do(step)
    return world


def every_schedule(
    *, steps: int = STEPS, room: type[Room] = Room, follower: type[Follower] = Follower
) -> tuple[int, str | None]:
    """Take every schedule once per state it leads to; return how many states, and the first violation."""
    schedules: list[tuple[Step, ...]] = [()]
    seen = {replay((), room=room, follower=follower).fingerprint()}
    for _ in range(steps):
        longer: list[tuple[Step, ...]] = []
        for schedule in schedules:
            for step in list(replay(schedule, room=room, follower=follower).possible()):
                try:
                    world = replay((*schedule, step), room=room, follower=follower)
                    if (state := world.fingerprint()) not in seen:
                        seen.add(state)
                        longer.append((*schedule, step))
                        world.finish()
                except Wrong as wrong:
                    return len(seen), f"{wrong} after {[*schedule, step]}"
        schedules = longer
    return len(seen), None


def test_every_short_schedule_delivers_each_entry_once_and_in_order() -> None:
    states, wrong = every_schedule()
    assert wrong is None
    assert states > 1000


# --- what the schedules must catch ------------------------------------------------------------------------


class LateSwitch(Follower):
    """Becomes live a tick after its page: with the next thing that happens."""

    def page(self, room: Room, entries: Sequence[Entry]) -> None:
        """Write the page, and leave the switch for later."""
        super().page(room, entries)
        if room.live.pop(self, "not live") is None:
            self.behind[room.name] = room


class Overrun(Follower):
    """Writes only what fits of a release, and stays live."""

    def _fall_behind(self, room: Room, cursor: int) -> None:
        if room.live.get(self, "not live") is not None:
            super()._fall_behind(room, cursor)


class TrustsPages(Follower):
    """Takes a page for the place where it is, although it left and joined again meanwhile."""

    def page(self, room: Room, entries: Sequence[Entry]) -> None:
        """Write what is newer than the cursor, whatever lies between."""
        fresh = [e for e in entries if e.n > self._places.get(room.name, e.n)]
        if fresh:
            self._write(room, fresh)
        super().page(room, ())


class MarksEarly(Follower):
    """Answers the marker at once."""

    def follow(self, room: Room, cursor: int, *, marker: Marker | None = None) -> None:
        """Answer, then follow."""
        super().follow(room, cursor)
        if marker is not None:
            self.sink.answer(marker.event, marker.data)


class Stays(Follower):
    """Never leaves by itself."""

    def leave_after(self, room: str, events: frozenset[str]) -> None:
        """Forget the wish."""


class Sleeps(Follower):
    """Falls behind without a word."""

    def _fall_behind(self, room: Room, cursor: int) -> None:
        room.live.pop(self, None)
        self.behind[room.name] = room
        self._places[room.name] = cursor


class Forgets(Room):
    """Drops what it hears out of order, and with it what follows."""

    def offer(self, entries: Iterable[Entry]) -> int:
        """Take every number for the next one."""
        released = [e for e in entries if e.n > self.head]
        if released:
            self.head = released[-1].n
            self._remember(released)
            for follower in list(self.live):
                follower.push(self, released)
        return len(released)


class Repeats(Room):
    """Releases what it has released before."""

    def offer(self, entries: Iterable[Entry]) -> int:
        """Push duplicates too."""
        heard = list(entries)
        for follower in list(self.live):
            if known := [e for e in heard if e.n <= self.head]:
                follower.push(self, known)
        return super().offer(heard)


@pytest.mark.parametrize(
    "mutant", [LateSwitch, Overrun, TrustsPages, MarksEarly, Stays, Sleeps], ids=lambda m: m.__name__
)
def test_a_wrong_follower_is_caught(mutant: type[Follower]) -> None:
    assert every_schedule(follower=mutant)[1] is not None


@pytest.mark.parametrize("mutant", [Forgets, Repeats], ids=lambda m: m.__name__)
def test_a_wrong_room_is_caught(mutant: type[Room]) -> None:
    assert every_schedule(room=mutant)[1] is not None


# --- at random, beyond eight steps ------------------------------------------------------------------------


class LongRun(RuleBasedStateMachine):
    """Forty entries, a small ring's worth of memory, and a client that comes and goes."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(LONG_LOG, head=12, page=3)

    @rule(ahead=st.lists(st.integers(-2, 5), min_size=1, max_size=4))
    def offer(self, ahead: list[int]) -> None:
        """Hear of some entries around the head, in any order."""
        numbers = [n for n in (self.world.room.head + 1 + a for a in ahead) if 0 < n <= len(LONG_LOG)]
        self.world.do(("offer", tuple(numbers)))

    @rule(data=st.data(), marker=st.integers(0, 1), ends=st.integers(0, 1))
    def join(self, data: st.DataObject, marker: int, ends: int) -> None:
        """Join anywhere."""
        self.world.do(("join", (data.draw(st.integers(0, self.world.room.head)), marker, ends)))

    @rule(name=st.sampled_from(["leave", "drain", "read", "read", "deliver", "deliver"]))
    def other(self, name: str) -> None:
        """Take a step without arguments."""
        self.world.do((name, ()))

    def teardown(self) -> None:
        """Let everything happen that is due."""
        self.world.finish()


TestLongRun = LongRun.TestCase
TestLongRun.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


# --- single places ----------------------------------------------------------------------------------------


def test_a_connection_that_is_cut_by_a_write_is_left_alone() -> None:
    world = World(LOG, head=2)
    world.client.cuts_at, world.client.room, world.client.on_cut = 3, world.room, [world.follower]
    world.do(("join", (2, 0, 0)))
    world.offer(3)
    world.offer(4, 5)
    assert world.client.got == [3]
    assert (world.follower.cursors, world.follower.behind, world.room.live) == ({}, {}, {})
    world.follower.follow(world.room, 0)
    assert world.follower.cursors == {}


def test_who_is_taken_out_by_another_client_in_the_same_tick_gets_nothing() -> None:
    room, second = Room("r", 0), Client()
    neighbour = Follower(second, lambda _: None)
    first = Client(cuts_at=1, room=room, on_cut=[neighbour])
    follower = Follower(first, lambda _: None)
    follower.follow(room, 0)
    neighbour.follow(room, 0)
    room.offer(LOG[:1])
    assert (first.got, second.got) == ([1], [])


def test_a_room_keeps_what_fits_and_says_when_the_log_must_be_read() -> None:
    room = Room("r", 0)
    room.offer(LONG_LOG)
    kept = [e.n for e in room.ring]
    assert kept == list(range(kept[0], 41))
    assert sum(e.size for e in room.ring) <= 256 * 1024
    assert room.newer(kept[0] - 2, limit=10, budget=10**6) is None
    page = room.newer(kept[0] - 1, limit=2, budget=10**6)
    assert page is not None
    assert [e.n for e in page] == kept[:2]
    assert [e.n for e in room.newer(38, limit=10, budget=1) or ()] == [39]
    assert room.newer(40, limit=10, budget=1) == []
