"""Drives the real Outbox through every schedule of eight steps: the client sees what was sent."""

from collections.abc import Callable, Hashable

import pytest

from server.transports.socketio.frames import CLOSE, PING, Packet, frame
from server.transports.socketio.outbox import Outbox

STEPS = 8
STEP_NAMES = (
    "send", "send two at once", "open a get", "answer the get", "open a second get", "probe",
    "finish the upgrade", "the upgrade fails", "the client reads a frame", "abort",
)  # fmt: skip


class Line:
    """A WebSocket's transport: frames that the client has not read yet."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        while data:
            length = 2 + data[1]
            self.frames.append(data[2:length])
            data = data[length:]

    def get_write_buffer_size(self) -> int:
        return sum(len(f) + 2 for f in self.frames)

    def is_closing(self) -> bool:
        return self.closed


class World:
    """An outbox, its client and what lies between them."""

    def __init__(self, make: Callable[["World"], Outbox]) -> None:
        self.outbox = make(self)
        self.line = Line()
        self.sent = 0
        self.got: list[bytes] = []
        self.get_open = False
        self.woken = False
        self.transport = "polling"
        self.cuts: list[str] = []

    def now(self) -> float:
        return 0.0

    def watch(self) -> None:
        raise AssertionError("nothing here is large")

    async def drained(self) -> None:
        raise AssertionError("nobody waits here")

    def cut(self, reason: str) -> None:
        self.cuts.append(reason)
        self.line.closed = True
        self.line.frames.clear()

    def key(self) -> Hashable:
        held = tuple(self.outbox._held)
        return (
            self.sent, tuple(self.got), held, tuple(self.line.frames), self.get_open, self.woken,
            self.transport, self.outbox.closed, self.line.closed,
        )  # fmt: skip

    def step(self, name: str) -> bool:
        """Take a step; False when it cannot be taken here."""
        return bool(getattr(self, "_" + name.replace(" ", "_"))())

    def violation(self) -> str | None:
        """Return what is wrong now, or would be after everything under way has arrived."""
        expected = [b"4%d" % n for n in range(1, self.sent + 1)]
        if self.got != expected[: len(self.got)]:
            return f"the client saw {self.got}"
        if self.get_open and not self.woken and (self.outbox._held or self.outbox.upgrading):
            return "a GET waits although there is something to answer"
        if self.outbox.closed:
            return None
        self._settle()
        if self.got != expected:
            return f"the client saw {self.got} in the end, {self.sent} were sent"
        return None if self.outbox.size == 0 else f"{self.outbox.size} bytes wait for nobody"

    def _settle(self) -> None:
        if self.transport == "probing":
            self._the_upgrade_fails()
        while self.line.frames:
            self._the_client_reads_a_frame()
        while self.transport == "polling" and (self.outbox._held or self.get_open):
            self._open_a_get()
            if not self._answer_the_get():
                return

    def _see(self, packet: Packet | bytes) -> None:
        data = packet.data if isinstance(packet, Packet) else packet
        if data[:1] == b"4":
            self.got.append(data)

    def _packet(self) -> Packet:
        self.sent += 1
        return Packet(b"4%d" % self.sent)

    def _send(self) -> bool:
        if self.outbox.closed:
            return False
        self.outbox.send(self._packet())
        return True

    def _send_two_at_once(self) -> bool:
        if not self.outbox.direct:
            return self._send() and self._send()
        self.outbox.write(frame(self._packet()) + frame(self._packet()))
        return True

    def _wake(self) -> None:
        self.woken = True

    def _open_a_get(self) -> bool:
        if self.get_open or self.transport == "upgraded" or self.outbox.closed:
            return False
        self.get_open = True
        assert self.outbox.poll(self._wake)
        return True

    def _answer_the_get(self) -> bool:
        if not (self.get_open and self.woken):
            return False
        self.get_open = self.woken = False
        for packet in self.outbox.take():
            self._see(packet)
        return True

    def _open_a_second_get(self) -> bool:
        if not self.get_open:
            return False
        assert not self.outbox.poll(self._wake)
        self.outbox.close(CLOSE)
        return True

    def _probe(self) -> bool:
        if self.transport != "polling" or self.outbox.closed:
            return False
        self.line = Line()
        self.transport = "probing"
        self.outbox.probe(self.line)
        return True

    def _finish_the_upgrade(self) -> bool:
        if (
            self.transport != "probing"
            or self.get_open
            or b"3probe" in self.line.frames
            or self.outbox.closed
        ):
            return False
        self.transport = "upgraded"
        self.outbox.upgrade()
        return True

    def _the_upgrade_fails(self) -> bool:
        if self.transport != "probing":
            return False
        self.transport = "polling"
        self.line.closed = True
        self.line.frames.clear()
        self.outbox.fall_back()
        return True

    def _the_client_reads_a_frame(self) -> bool:
        if not self.line.frames:
            return False
        self._see(self.line.frames.pop(0))
        return True

    def _abort(self) -> bool:
        if self.outbox.closed:
            return False
        self.outbox.abort("test")
        return self.cuts == ["test"]


def explore(make: Callable[[World], Outbox], steps: int = STEPS) -> tuple[int, list[str], str | None]:
    """Return how many states some steps reach, and the shortest path to a violation with its reason."""
    paths: list[list[str]] = [[]]
    known: set[Hashable] = set()
    for path in paths:
        for name in STEP_NAMES:
            world = World(make)
            for done in path:
                world.step(done)
            if not world.step(name) or world.key() in known:
                continue
            known.add(world.key())
            if (reason := world.violation()) is not None:
                return len(known), [*path, name], reason
            if len(path) + 1 < steps:
                paths.append([*path, name])
    return len(known), [], None


def test_every_schedule_delivers_what_was_sent() -> None:
    states, path, reason = explore(Outbox)
    assert (path, reason) == ([], None)
    assert states > 800


class WritesWhileUpgrading(Outbox):
    """Sends directly as soon as the upgrade was probed."""

    __slots__ = ()

    def send(self, packet: Packet) -> None:
        if self._candidate is not None and not self.closed:
            self._candidate.write(frame(packet))
        else:
            super().send(packet)


class ForgetsOnFailure(Outbox):
    """Drops what was held for an upgrade that failed."""

    __slots__ = ()

    def fall_back(self) -> None:
        self._held.clear()
        super().fall_back()


class FlushesLate(Outbox):
    """Writes the next packet before what was held during the upgrade."""

    __slots__ = ()

    def upgrade(self) -> None:
        held, self._held = self._held, []
        super().upgrade()
        self._held = held

    def send(self, packet: Packet) -> None:
        super().send(packet)
        if self.wire is not None:
            late, self._held, self.held_bytes = self._held, [], 0
            self.wire.write(b"".join(frame(p) for p in late))


class SleepsThroughProbe(Outbox):
    """Leaves the open GET waiting when an upgrade begins."""

    __slots__ = ()

    def probe(self, wire: object) -> None:
        waiting, self._waiting = self._waiting, None
        super().probe(wire)  # type: ignore[arg-type]
        self._waiting = waiting


@pytest.mark.parametrize("mutant", [WritesWhileUpgrading, ForgetsOnFailure, FlushesLate, SleepsThroughProbe])
def test_the_explorer_finds_what_is_wrong(mutant: type[Outbox]) -> None:
    _, path, reason = explore(mutant, steps=6)
    assert path
    assert reason


def test_pings_and_entries_keep_their_order() -> None:
    world = World(Outbox)
    world.outbox.open(world.line)
    world.outbox.send(PING)
    world.step("send")
    assert world.line.frames == [b"2", b"41"]
