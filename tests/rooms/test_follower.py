"""A follower's marker when the room has gone on since the place was found, and the sound of its rooms."""

import asyncio
from collections.abc import Sequence

from server.rooms.entry import Entry, Sound
from server.rooms.follower import HIGH_WATER, Follower, Marker
from server.rooms.room import Room
from server.rooms.sound import MOST_LATE, Ears


class Client:
    """Takes what is written."""

    size = 0

    def __init__(self) -> None:
        self.got: list[str] = []
        self.takes = asyncio.Event()

    def write(self, entries: Sequence[Entry]) -> None:
        self.got += [str(e.n) for e in entries]

    def sound(self, sound: Sound) -> None:
        self.got.append(sound.name)

    def answer(self, event: str, data: bytes) -> None:
        self.got.append(event)

    async def drained(self) -> None:
        await self.takes.wait()

    def abort(self, reason: str) -> None:
        raise AssertionError(reason)


def entries(first: int, last: int) -> list[Entry]:
    return [Entry(room="r", n=n, w="w", at=0, name="e", j=b"{}") for n in range(first, last + 1)]


def test_a_marker_at_the_cursor_comes_before_what_came_since() -> None:
    room, client = Room("r", 5), Client()
    room.offer(entries(6, 7))
    follower = Follower(client, lambda _: None)
    follower.follow(room, 5, marker=Marker(5, "joined", b"{}"))
    follower.page(room, entries(6, 7))
    room.offer(entries(8, 8))
    assert client.got == ["joined", "6", "7", "8"]


def test_a_marker_past_the_cursor_comes_after_what_was_there() -> None:
    room, client = Room("r", 5), Client()
    room.offer(entries(6, 7))
    follower = Follower(client, lambda _: None)
    follower.follow(room, 3, marker=Marker(5, "joined", b"{}"))
    follower.page(room, entries(4, 7))
    assert client.got == ["4", "5", "joined", "6", "7"]


def test_sound_ends_with_the_membership_and_is_not_back_with_it() -> None:
    room, client, ears = Room("r", 5), Client(), Ears()
    follower = Follower(client, lambda _: None)
    sound = Sound("r", "sound", b"{}", b"")
    ears.listen("r", follower)
    ears.hear(sound)  # of a room that is not followed
    follower.follow(room, 5)
    ears.hear(sound)
    ears.listen("r", follower)
    ears.hear(sound)
    ears.hear(sound, but=follower)
    follower.leave(room)
    follower.follow(room, 5)
    ears.hear(sound)
    assert client.got == ["sound"]
    ears.forget()
    ears.listen("r", follower)
    ears.forget()
    ears.hear(sound)
    assert client.got == ["sound"] * 2


async def test_who_is_slow_hears_the_newest_sound_when_it_can() -> None:
    room, client, ears = Room("r", 5), Client(), Ears()
    follower = Follower(client, lambda _: None)
    follower.follow(room, 5)
    ears.listen("r", follower)
    client.size = HIGH_WATER + 1
    for n in range(MOST_LATE + 3):
        ears.hear(Sound("r", str(n), b"{}", b""))
    assert client.got == []
    client.size = 0
    ears.hear(Sound("r", "last", b"{}", b""))  # behind the others
    client.takes.set()
    while len(client.got) < MOST_LATE:
        await asyncio.sleep(0)
    assert client.got == [*(str(n) for n in range(4, MOST_LATE + 3)), "last"]
    ears.hear(Sound("r", "live", b"{}", b""))
    assert client.got[-1] == "live"
