"""The real Room and Follower with a client whose buffer fills and drains, driven one step at a time.

Every step checks what must always hold: the sink got exactly the entries after the cursor, once and
in order; a marker stands at its exact place; live means cursor = head; nothing comes after leaving.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from server.rooms.entry import Entry, Sound
from server.rooms.follower import LOW_WATER, PAGE_BYTES, PAGE_ENTRIES, Follower, Marker
from server.rooms.room import Room

Step = tuple[str, tuple[int, ...]]
SIZE = 30 * 1024  # two fit below the high mark, one is above the low mark
END = "attempt_chat_ended"


class Wrong(AssertionError):
    """Something that must always hold does not."""


def make_log(count: int, *, end: int) -> list[Entry]:
    """Return the entries 1…count of a room; number `end` is the one that ends it."""
    text = b'{"text":"' + b"x" * SIZE + b'"}'
    names = {end: END}
    return [
        Entry(room="r", n=n, w=f"p-{n}", at=0, name=names.get(n, "attempt_progress"), j=text)
        for n in range(1, count + 1)
    ]


@dataclass
class Client:
    """A sink that remembers what it was given; entries wait until they are drained."""

    size: int = 0
    got: list[int | str] = field(default_factory=list)
    aborted: bool = False
    cuts_at: int | None = None
    on_cut: "list[Follower]" = field(default_factory=list)
    room: "Room | None" = None

    def write(self, entries: Sequence[Entry]) -> None:
        """Take entries; at `cuts_at` the connection ends while it writes."""
        for entry in entries:
            self.got.append(entry.n)
            self.size += entry.size
        if self.cuts_at is not None and entries[-1].n >= self.cuts_at and self.room is not None:
            self.aborted = True
            for follower in self.on_cut:
                follower.leave(self.room)
                follower.close()

    def sound(self, sound: Sound) -> None:
        """Take no sound."""

    def answer(self, event: str, data: bytes) -> None:
        """Take a marker."""
        self.got.append(event)

    async def drained(self) -> None:
        """Fail: no pump runs here, the model decides who reads."""
        raise AssertionError

    def abort(self, reason: str) -> None:
        """Note the end."""
        self.aborted = True


@dataclass
class Membership:
    """What a follower has been promised since it joined."""

    start: int
    marker: int | None
    ends: bool
    since: int


class World:
    """A room with its log and one follower; the pump's read and its delivery are two steps."""

    def __init__(
        self,
        log: list[Entry],
        *,
        head: int,
        room_class: type[Room] = Room,
        follower_class: type[Follower] = Follower,
        page: int = 2,
    ) -> None:
        self.log = log
        self.room = room_class("r", head)
        self.client = Client()
        self.pumping = False
        self.follower = follower_class(self.client, self._wake)
        self.reading: tuple[int, list[Entry]] | None = None
        self.member: Membership | None = None
        self._page = page

    def _wake(self, follower: Follower) -> None:
        self.pumping = True

    # --- steps ---------------------------------------------------------------------------------------------

    def offer(self, *numbers: int) -> None:
        """Let the room hear of entries, in this order."""
        self.room.offer(self.log[n - 1] for n in numbers)

    def join(self, cursor: int, marker: int, ends: int) -> None:
        """Follow after `cursor`; a marker is due at the head, the room may be left at its end."""
        if "r" not in self.follower.cursors:
            due = Marker(self.room.head, "joined", b"{}") if marker else None
            self.member = Membership(
                cursor, self.room.head if marker else None, bool(ends), len(self.client.got)
            )
            self.follower.follow(self.room, cursor, marker=due)
            if ends:
                self.follower.leave_after("r", frozenset({END}))
        else:
            self.follower.follow(self.room, cursor)

    def leave(self) -> None:
        """Leave the room."""
        self.follower.leave(self.room)
        self.member = None

    def drain(self) -> None:
        """Let the client read everything."""
        self.client.size = 0

    def read(self) -> None:
        """Begin a pump's turn: from the ring it is done at once, from the log it only reads."""
        if not self.pumps:
            return
        after = self.follower.cursors["r"]
        recent = self.room.newer(after, limit=PAGE_ENTRIES, budget=PAGE_BYTES)
        if recent is not None:
            self.follower.page(self.room, recent)
        else:
            self.reading = (after, self.log[after : min(after + self._page, self.room.head)])

    def deliver(self) -> None:
        """Hand over the page that was read."""
        if self.reading is not None:
            (_, page), self.reading = self.reading, None
            self.follower.page(self.room, page)

    @property
    def pumps(self) -> bool:
        """Tell whether the pump runs and would take a page now."""
        ready = self.reading is None and self.client.size <= LOW_WATER
        return self.pumping and ready and "r" in self.follower.behind

    def do(self, step: Step) -> None:
        """Take a step and check everything."""
        name, arguments = step
        getattr(self, name)(*arguments)
        if not self.follower.behind:
            self.pumping = False
        self.check()

    def possible(self) -> Iterable[Step]:
        """Return the steps worth taking now."""
        head, last = self.room.head, len(self.log)
        fresh = list(range(head + 1, last + 1))
        for n in fresh[:2]:
            yield "offer", (n,)
        if len(fresh) > 1:
            yield "offer", tuple(fresh)
            yield "offer", (fresh[1], fresh[0])
        if head > 0:
            yield "offer", (head, *fresh[:1])
        if "r" not in self.follower.cursors:
            for cursor in range(head + 1):
                for marker in (0, 1):
                    yield "join", (cursor, marker, marker)
        else:
            yield "join", (0, 0, 0)
            yield "leave", ()
        if self.client.size:
            yield "drain", ()
        if self.pumps:
            yield "read", ()
        if self.reading is not None:
            yield "deliver", ()

    # --- what must always hold -----------------------------------------------------------------------------

    def check(self) -> None:
        """Raise Wrong when something does not hold that must."""
        following = self.follower.cursors.get("r")
        live, behind = self.follower in self.room.live, "r" in self.follower.behind
        if following is None:
            self._expect(not live and not behind, "a follower that left is still served")
        else:
            self._expect(live != behind, f"live {live}, behind {behind}")
            self._expect(live == (following == self.room.head), f"live {live}, cursor {following}")
            self._expect(not behind or self.pumping, "nobody pumps")
        if self.member is not None:
            self._expect_delivered(self.member, following)

    def _expect_delivered(self, member: Membership, following: int | None) -> None:
        got = self.client.got[member.since :]
        numbers = [n for n in got if isinstance(n, int)]
        last = member.start + len(numbers)
        self._expect(numbers == list(range(member.start + 1, last + 1)), f"got {got} after {member.start}")
        self._expect(last <= self.room.head, f"{last} was sent before it was released")
        self._expect(following in (None, last), f"cursor {following} after {got}")
        if member.marker is not None:
            due = member.marker - member.start
            wanted: list[int | str] = list(numbers)
            if last >= member.marker:
                wanted.insert(due, "joined")
            self._expect(
                got == wanted,
                f"marker due at {member.marker}: got {got} after {member.start}",
            )
        if following is None:
            self._expect(member.ends and self.log[last - 1].name == END, "it left before the end")
        elif member.ends:
            names = [self.log[n - 1].name for n in numbers]
            self._expect(END not in names, "it stayed after the end")

    def finish(self) -> None:
        """Let everything happen that is due: the follower must get all there is."""
        self.offer(*range(self.room.head + 1, len(self.log) + 1))
        for _ in range(4 * len(self.log)):
            for step in ("drain", "read", "deliver"):
                self.do((step, ()))
        if self.member is not None and "r" in self.follower.cursors:
            self._expect(self.follower.cursors["r"] == len(self.log), f"stuck at {self.follower.cursors}")

    def fingerprint(self) -> object:
        """Return all that the future depends on."""
        got = tuple(self.client.got[self.member.since :]) if self.member else ()
        member = (self.member.start, self.member.marker, self.member.ends) if self.member else None
        reading = (self.reading[0], len(self.reading[1])) if self.reading else None
        heard = tuple(sorted(self.room._pending))
        state = (self.room.head, self.room.ring[0].n if self.room.ring else None, heard, self.client.size)
        served = ("r" in self.follower.behind, self.follower in self.room.live, self.pumping)
        return state, member, got, reading, served, self.follower.cursors.get("r"), repr(self.follower._until)

    @staticmethod
    def _expect(holds: bool, otherwise: str) -> None:
        if not holds:
            raise Wrong(otherwise)
