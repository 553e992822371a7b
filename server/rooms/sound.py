"""Sound in rooms: live only, for members that listen. It has no offset, and who is slow misses the oldest."""

import asyncio
from collections import deque

import orjson

from server.rooms.entry import Sound
from server.rooms.follower import HIGH_WATER, Follower

MOST_LATE = 25  # pieces that wait for one who is slow: a second of what is said


class Ears:
    """Who listens to which rooms in this process."""

    def __init__(self) -> None:
        self._ears: dict[str, dict[Follower, None]] = {}
        self._late: dict[Follower, deque[Sound]] = {}
        self._catching_up: set[asyncio.Task[None]] = set()

    def listen(self, room: str, follower: Follower) -> None:
        """Have a follower of a room hear its sound, until it leaves the room."""
        follower.listen(room)
        self._ears.setdefault(room, {})[follower] = None

    def hear(self, sound: Sound, *, but: Follower | None = None) -> None:
        """Send a piece of sound to who listens still; who does not keep up gets the newest when it can."""
        for follower in self._ears.get(sound.room, ()):
            if follower is but or sound.room not in follower.hears:
                continue
            if follower in self._late:
                self._late[follower].append(sound)
            elif follower.sink.size <= HIGH_WATER:
                follower.sink.sound(sound)
            else:
                self._late[follower] = deque((sound,), MOST_LATE)
                task = asyncio.create_task(self._catch_up(follower), name="late sound")
                self._catching_up.add(task)
                task.add_done_callback(self._catching_up.discard)

    def forget(self) -> None:
        """Forget who listens no more."""
        for room, ears in list(self._ears.items()):
            for follower in [one for one in ears if room not in one.hears]:
                del ears[follower]
            if not ears:
                del self._ears[room]

    async def _catch_up(self, follower: Follower) -> None:
        """Send what waits once the client has taken most of what it was sent, or is gone."""
        try:
            await follower.sink.drained()
        finally:
            late = self._late.pop(follower)
        for sound in late:
            if sound.room in follower.hears:
                follower.sink.sound(sound)


def sound_body(sound: Sound) -> bytes:
    """Return the body that carries a piece of sound to other processes; its room is the channel's."""
    return b"~" + orjson.dumps([sound.name, sound.head.decode()]) + b"\n" + sound.audio


def read_sound(room: str, body: bytes) -> Sound | None:
    """Return a piece of sound, None when the body is something else; raises ValueError when it is broken."""
    if not body.startswith(b"~"):
        return None
    about, _, audio = body[1:].partition(b"\n")
    match orjson.loads(about):
        case [str(name), str(head)]:
            return Sound(room, name, head.encode(), audio)
    raise ValueError("not a sound")
