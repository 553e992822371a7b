"""A bell that loses and delays, with the real Room, Subscriptions and Waiting: nothing stays unheard.

One process publishes, another loads a room, hears it, and unloads it; connections break. Neither polls nor
looks every 30 s here: when all is quiet and the bell works, a loaded room has to be at the log's end.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from server.rooms.entry import Entry
from server.rooms.ringing import Waiting
from server.rooms.room import Room
from server.rooms.subscriptions import Subscriptions

STEPS = 8
ENTRIES = 3
NAME = "r"
LOG = [Entry(room=NAME, n=n, w=f"p-{n}", at=0, name="attempt_progress", j=b"{}") for n in range(1, 9)]
LOADED = ("load", "talk", "obey", "hear", "look", "loaded")
AGAIN = ("load", "talk", "look", "loaded", "unload", "talk", "load", "talk")  # and nothing is confirmed yet
STARTS = ((), LOADED, AGAIN)
Message = tuple[str, tuple[int, ...]]


class Wrong(AssertionError):
    """Something that must always hold does not."""


@dataclass
class Parts:
    """What the world is made of; the flags are what a process must not leave out."""

    room: type[Room] = Room
    subscriptions: type[Subscriptions] = Subscriptions
    waiting: type[Waiting] = Waiting
    listens_first: bool = True
    reads_when_uncertain: bool = True
    reads_when_heard_again: bool = True
    keeps_what_comes_while_loading: bool = True
    pulls_gaps: bool = True


@dataclass
class World:
    """Two processes, the log, and a Valkey that only knows who hears."""

    parts: Parts
    top: int = 0  # of the log
    flight: list[Message] = field(default_factory=list)  # from the publisher to Valkey
    inbox: list[Message] = field(default_factory=list)  # from Valkey to the reader
    asking: list[str] = field(default_factory=list)  # from the reader to Valkey
    subscribed: bool = False  # as Valkey knows
    loading: list[int] | None = None
    certain: bool = False
    unsure: bool = False
    read: int | None = None  # the top that a load has read
    room: Room | None = None
    wanted: bool = False
    breaks: int = 0
    beats: int = 0
    dead: bool = False

    def __post_init__(self) -> None:
        self.waiting = self.parts.waiting()
        self.subscriptions = self.parts.subscriptions()

    # --- steps ---------------------------------------------------------------------------------------------

    def commit(self) -> None:
        """Put an entry into the log and ring."""
        self.top += 1
        self.waiting.ring(NAME, [LOG[self.top - 1]])

    def die(self) -> None:
        """Put an entry into the log and ring no more; the next is put there by another process."""
        self.top += 1
        self.dead = True

    def flush(self) -> None:
        """Send what waits."""
        for _, ringing in self.waiting.take():
            self.flight.append(
                ("entries", tuple(e.n for e in ringing.entries))
                if ringing.entries
                else ("number", (ringing.n,))
            )

    def beat(self) -> None:
        """Send a beat after it."""
        self.beats += 1
        self.waiting.beat()
        self.flight.append(("beat", (self.beats,)))

    def arrive(self) -> None:
        """Let Valkey take the next message: the beat comes back, the rest goes to who hears."""
        kind, numbers = self.flight.pop(0)
        if kind == "beat" and numbers[0] == self.beats:
            self.waiting.beaten()
        elif kind != "beat" and self.subscribed:
            self.inbox.append((kind, numbers))

    def talk(self) -> None:
        """Send what is to be heard and what no more."""
        on, off = self.subscriptions.changes()
        self.asking += ["on"] * len(on) + ["off"] * len(off)

    def obey(self) -> None:
        """Let Valkey take the next wish of the reader."""
        self.subscribed = self.asking.pop(0) == "on"
        if self.subscribed:
            self.inbox.append(("subscribe", ()))

    def hear(self) -> None:
        """Let the reader take its next message."""
        kind, numbers = self.inbox.pop(0)
        if kind == "subscribe":
            if self.subscriptions.confirmed(NAME) and self.parts.reads_when_heard_again:
                self.wanted = self.wanted or self.room is not None
                self.unsure = True
        elif self.room is not None:
            self._take(self.room, kind, numbers)
        elif self.loading is not None and self.parts.keeps_what_comes_while_loading:
            self.loading += numbers

    def load(self) -> None:
        """Begin to load: listen."""
        self.loading = []
        self.subscriptions.want(NAME)

    def look(self) -> None:
        """Read the top, when the room is heard or that took too long."""
        self.certain = self.subscriptions.heard(NAME) or not self.parts.listens_first
        assert self.loading is not None
        self.loading.clear()
        self.unsure = False
        self.read = self.top

    def loaded(self) -> None:
        """Take what was read, and what came meanwhile."""
        assert self.loading is not None
        assert self.read is not None
        self.room = self.parts.room(NAME, self.read)
        self.room.offer(LOG[n - 1] for n in self.loading)
        if self.room.waiting or max(self.loading, default=0) > self.room.head:
            self.wanted = True
        if (self.unsure or not self.certain) and self.parts.reads_when_uncertain:
            self.wanted = True
        self.loading, self.read = None, None

    def pull(self) -> None:
        """Read the room up."""
        self.wanted = False
        if self.room is not None:
            self.room.offer(LOG[self.room.head : self.top])

    def unload(self) -> None:
        """Forget the room."""
        self.room, self.wanted = None, False
        self.subscriptions.drop(NAME)

    def lose_reader(self) -> None:
        """Break the reader's connection: what is on its way is gone."""
        self.breaks += 1
        self.inbox.clear()
        self.asking.clear()
        self.subscribed = False
        self.subscriptions.lost()

    def lose_publisher(self) -> None:
        """Break the publisher's connection."""
        self.breaks += 1
        self.flight.clear()
        self.waiting.lost()

    def _take(self, room: Room, kind: str, numbers: tuple[int, ...]) -> None:
        if kind == "entries":
            room.offer(LOG[n - 1] for n in numbers)
        if room.waiting and self.parts.pulls_gaps:
            self.wanted = True
        if kind == "number" and numbers[0] > room.head:
            self.wanted = True

    # --- schedules -----------------------------------------------------------------------------------------

    def possible(self) -> Iterable[str]:
        """Return the steps worth taking now."""
        steps = {
            "commit": self.top < ENTRIES,
            "die": not self.dead,
            "flush": bool(self.waiting),
            "beat": self.beats < 1,
            "arrive": bool(self.flight),
            "talk": bool(self.subscriptions._changed),
            "obey": bool(self.asking),
            "hear": bool(self.inbox),
            "load": self.room is None and self.loading is None,
            "look": self.loading is not None and self.read is None,
            "loaded": self.read is not None,
            "pull": self.wanted,
            "unload": self.room is not None,
            "lose_reader": self.breaks < 1,
            "lose_publisher": self.breaks < 1,
        }
        return [step for step, may in steps.items() if may]

    def finish(self) -> None:
        """Let all happen that is due; a loaded room has to be at the end then."""
        if self.room is None and self.loading is None:
            return
        if self.dead:
            self.commit()  # nobody rings for what the dead one wrote last; the look every 30 s finds it
        for _ in range(40):
            due = [
                s
                for s in self.possible()
                if s in ("flush", "talk", "obey", "arrive", "hear", "look", "loaded", "pull")
            ]
            if not due:
                break
            getattr(self, due[0])()
        if self.room is None or self.room.head != self.top:
            raise Wrong(f"at {self.room.head if self.room else 'nothing'} of {self.top}")

    def fingerprint(self) -> object:
        """Return all that the future depends on."""
        room = (self.room.head, tuple(sorted(self.room._pending))) if self.room else None
        state = self.subscriptions._states.get(NAME)
        heard = (state.on, state.unconfirmed) if state else None
        known = (NAME in self.subscriptions._wanted, tuple(self.subscriptions._changed), heard)
        rings = tuple((r.n, len(r.entries)) for r in self.waiting._rooms.values())
        sent = (tuple(self.waiting._fresh.items()), tuple(self.waiting._older.items()))
        load = (
            tuple(self.loading) if self.loading is not None else None,
            self.certain,
            self.unsure,
            self.read,
        )
        wires = (tuple(self.flight), tuple(self.inbox), tuple(self.asking), self.subscribed)
        return (
            self.top,
            room,
            known,
            rings,
            sent,
            load,
            wires,
            self.wanted,
            self.breaks,
            self.beats,
            self.dead,
        )


def replay(schedule: Iterable[str], parts: Parts) -> World:
    """Take the steps from the start."""
    world = World(parts)
    for step in schedule:
        getattr(world, step)()
    return world


def every_schedule(
    parts: Parts, *, start: tuple[str, ...] = (), steps: int = STEPS
) -> tuple[int, str | None]:
    """Take every schedule once per state it leads to; return how many states, and the first violation."""
    schedules: list[tuple[str, ...]] = [start]
    seen = {replay(start, parts).fingerprint()}
    for _ in range(steps):
        longer: list[tuple[str, ...]] = []
        for schedule in schedules:
            for step in replay(schedule, parts).possible():
                world = replay((*schedule, step), parts)
                if (state := world.fingerprint()) in seen:
                    continue
                seen.add(state)
                longer.append((*schedule, step))
                try:
                    world.finish()
                except Wrong as wrong:
                    return len(seen), f"{wrong} after {[*schedule, step]}"
        schedules = longer
    return len(seen), None


@pytest.mark.parametrize("start", STARTS)
def test_whatever_the_bell_loses_a_room_gets_to_the_end(start: tuple[str, ...]) -> None:
    states, wrong = every_schedule(Parts(), start=start)
    assert wrong is None
    assert states > 2000


# --- what the schedules must catch ------------------------------------------------------------------------


class Drops(Room):
    """Takes only the next entry."""

    def offer(self, entries: Iterable[Entry]) -> int:
        """Forget what is heard out of order."""
        return super().offer(e for e in entries if e.n == self.head + 1)


class Hasty(Subscriptions):
    """Takes the first confirmation for the last one."""

    def confirmed(self, room: str) -> bool:
        """Forget that others are still to come."""
        if (state := self._states.get(room)) is not None:
            state.unconfirmed = min(state.unconfirmed, 1)
        return super().confirmed(room)


class Sure(Waiting):
    """Takes what was handed out for sent."""

    def lost(self) -> None:
        """Ring nothing again."""


class Trusting(Waiting):
    """Takes a beat for a proof of all that was handed out."""

    def beaten(self) -> None:
        """Forget what was handed out after the beat, too."""
        super().beaten()
        self._fresh.clear()


@pytest.mark.parametrize(
    "parts",
    [
        Parts(room=Drops, pulls_gaps=False),
        Parts(pulls_gaps=False),
        Parts(subscriptions=Hasty),
        Parts(waiting=Sure),
        Parts(waiting=Trusting),
        Parts(listens_first=False, reads_when_heard_again=False),
        Parts(reads_when_uncertain=False),
        Parts(reads_when_heard_again=False),
        Parts(keeps_what_comes_while_loading=False),
    ],
    ids=lambda parts: " ".join(k for k, v in vars(parts).items() if v != getattr(Parts(), k)),
)
def test_a_shortcut_leaves_something_unheard(parts: Parts) -> None:
    assert any(every_schedule(parts, start=start)[1] for start in STARTS)
