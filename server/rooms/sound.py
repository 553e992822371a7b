"""Sound in rooms: live only, for members that listen. It has no offset, and what does not fit is dropped."""

import orjson

from server.rooms.entry import Sound
from server.rooms.follower import HIGH_WATER, Follower


class Ears:
    """Who listens to which rooms in this process."""

    def __init__(self) -> None:
        self._ears: dict[str, dict[Follower, None]] = {}

    def listen(self, room: str, follower: Follower) -> None:
        """Have a follower of a room hear its sound, until it leaves the room."""
        follower.listen(room)
        self._ears.setdefault(room, {})[follower] = None

    def hear(self, sound: Sound, *, but: Follower | None = None) -> None:
        """Send a piece of sound to who listens still and keeps up."""
        for follower in self._ears.get(sound.room, ()):
            if follower is not but and sound.room in follower.hears and follower.sink.size <= HIGH_WATER:
                follower.sink.sound(sound)

    def forget(self) -> None:
        """Forget who listens no more."""
        for room, ears in list(self._ears.items()):
            for follower in [one for one in ears if room not in one.hears]:
                del ears[follower]
            if not ears:
                del self._ears[room]


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
