"""How much the Outbox holds and hands out, and when a client is too slow."""

from collections.abc import Iterator
from itertools import count

import pytest

from server.transports.socketio.frames import CLOSE, NOOP, Packet
from server.transports.socketio.outbox import HARD_CAP, HIGH_WATER, POLL_BYTES, SLOW, STALL_SECONDS, Outbox


class Owner:
    """A connection whose client reads what it is told to."""

    def __init__(self) -> None:
        self.time = 0.0
        self.watching = 0
        self.cuts: list[str] = []
        self.outbox = Outbox(self)
        self.buffered = 0
        self.closing = False

    def now(self) -> float:
        return self.time

    def watch(self) -> None:
        self.watching += 1

    async def drained(self) -> None:
        raise AssertionError("nobody waits here")

    def cut(self, reason: str) -> None:
        self.cuts.append(reason)

    def write(self, data: bytes) -> None:
        self.buffered += len(data)

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def is_closing(self) -> bool:
        return self.closing

    def fill(self, size: int) -> None:
        """Send packets of one kilobyte until so much waits."""
        while self.outbox.size < size and not self.cuts:
            self.outbox.send(Packet(bytes(1024)))

    def seconds(self, limit: int = 60) -> Iterator[int]:
        """Let time pass second by second while the outbox wants to be looked after."""
        for second in range(1, limit + 1):
            self.time += 1
            if not self.outbox.tick():
                return
            yield second


@pytest.fixture(params=["websocket", "polling"])
def owner(request: pytest.FixtureRequest) -> Owner:
    owner = Owner()
    if request.param == "websocket":
        owner.outbox.open(owner)
    return owner


def drain(owner: Owner, size: int) -> None:
    if owner.outbox.direct:
        owner.buffered -= size
    else:
        owner.outbox.poll(lambda: None)
        owner.outbox.take()


def test_a_client_that_takes_nothing_is_cut_after_five_seconds(owner: Owner) -> None:
    owner.fill(HIGH_WATER + 1)
    assert owner.watching == 1
    passed = list(owner.seconds())
    assert owner.cuts == [SLOW]
    assert len(passed) == STALL_SECONDS - 1
    assert owner.outbox.closed


def test_a_client_that_takes_a_little_is_kept(owner: Owner) -> None:
    owner.fill(HIGH_WATER * 4)
    for second in owner.seconds(limit=12):
        if second % 4 == 0:
            drain(owner, 1000)
    assert owner.cuts == []


def test_a_client_that_reads_up_to_the_mark_is_not_watched_any_more(owner: Owner) -> None:
    owner.fill(HIGH_WATER + 1)
    drain(owner, 4096)
    assert list(owner.seconds()) == []
    owner.fill(HIGH_WATER + 1)
    assert owner.watching == 2


def test_growing_is_not_progress(owner: Owner) -> None:
    owner.fill(HIGH_WATER + 1)
    for _ in owner.seconds():
        owner.outbox.send(Packet(bytes(1024)))
    assert owner.cuts == [SLOW]


def test_below_the_mark_nobody_is_watched(owner: Owner) -> None:
    owner.fill(HIGH_WATER - 2048)
    assert owner.watching == 0


def test_the_hard_cap_cuts_at_once(owner: Owner) -> None:
    owner.fill(HARD_CAP * 2)
    assert owner.cuts == [SLOW]
    owner.outbox.send(Packet(b"4late"))
    assert owner.outbox.size <= HARD_CAP + 2048


def test_a_get_takes_sixteen_packets() -> None:
    owner = Owner()
    numbers = count()
    for number in range(40):
        owner.outbox.send(Packet(b"4%d" % number))
    for wanted in (16, 16, 8):
        owner.outbox.poll(lambda: None)
        taken = owner.outbox.take()
        assert len(taken) == wanted
        assert [p.data for p in taken] == [b"4%d" % next(numbers) for _ in taken]
    assert owner.outbox.size == 0


def test_a_get_takes_64_kib_but_always_one_packet() -> None:
    owner = Owner()
    for size in (POLL_BYTES * 2, POLL_BYTES // 2, POLL_BYTES // 2, 1):
        owner.outbox.send(Packet(bytes(size)))
    sizes = []
    for _ in range(3):
        owner.outbox.poll(lambda: None)
        sizes.append([len(p.data) for p in owner.outbox.take()])
    assert sizes == [[POLL_BYTES * 2], [POLL_BYTES // 2, POLL_BYTES // 2], [1]]


def test_an_aborted_polling_client_is_told_that_it_is_closed() -> None:
    owner = Owner()
    woken: list[bool] = []
    owner.outbox.poll(lambda: woken.append(True))
    owner.outbox.abort("test")
    assert woken
    assert owner.outbox.take() == [CLOSE]
    assert owner.outbox.take() == [NOOP]


def test_nothing_is_written_to_a_transport_that_is_closing() -> None:
    owner = Owner()
    owner.outbox.open(owner)
    owner.closing = True
    owner.outbox.send(Packet(b"4x"))
    owner.outbox.write(b"frames")
    assert owner.buffered == 0


def test_frames_cannot_be_written_to_a_polling_client() -> None:
    owner = Owner()
    with pytest.raises(RuntimeError, match="not a WebSocket"):
        owner.outbox.write(b"frames")
