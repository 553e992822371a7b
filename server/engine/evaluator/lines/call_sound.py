"""The sound of a call, both ways, in steps of 20 ms. No I/O: whoever has the clock calls `tick`."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile

from server.engine.voice.speech import HEARD_RATE, SAMPLE_BYTES

TICK_SECONDS = 0.02
TICK_BYTES = round(HEARD_RATE * TICK_SECONDS) * SAMPLE_BYTES
SILENCE = bytes(TICK_BYTES)
MAX_WAITING = 600  # seconds of the agent's sound that wait to be played; what comes beyond is dropped
MAX_PIECES = 100_000  # of sound and marks that wait
IN_MEMORY = 4 * 1024 * 1024  # bytes of a track; the rest lies in a file


@dataclass(frozen=True, slots=True)
class Tick:
    """What is heard in 20 ms: `mine` goes to the agent, `theirs` came from it; `marks` lie before it."""

    mine: bytes
    theirs: bytes
    marks: tuple[str, ...]


class Track:
    """One side's sound since the connection, at HEARD_RATE."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by `close`

    def add(self, sound: bytes) -> None:
        """Add what comes next."""
        self._file.write(sound)

    def read(self) -> bytes:
        """Return all of it."""
        self._file.seek(0)
        return self._file.read()

    def close(self) -> None:
        """Forget it."""
        self._file.close()


class CallSound:
    """Plays what came from the agent in real time, whenever it came, and sends what is said to it.

    Sound is PCM at HEARD_RATE. Marks stand in the agent's sound, and are reached when that before them was
    played.
    """

    def __init__(self) -> None:
        self.mine = Track()
        self.theirs = Track()
        self._sending = bytearray()
        self._playing: deque[bytes | str] = deque()  # sound, and the names of marks
        self._waiting = 0
        self._part = b""
        self._reached: list[str] = []  # marks behind which the present tick goes on

    @property
    def saying(self) -> bool:
        """Tell whether something is left to be sent."""
        return bool(self._sending)

    def say(self, sound: bytes) -> None:
        """Send some sound after what waits to be sent."""
        self._sending += sound

    def hush(self) -> float:
        """Send nothing more of what waits; return how many seconds that were."""
        left = len(self._sending) / (HEARD_RATE * SAMPLE_BYTES)
        self._sending.clear()
        return left

    def play(self, sound: bytes) -> None:
        """Take sound of the agent."""
        if self._waiting < MAX_WAITING * HEARD_RATE * SAMPLE_BYTES and len(self._playing) < MAX_PIECES:
            self._playing.append(sound)
            self._waiting += len(sound)

    def mark(self, name: str) -> None:
        """Take a mark behind the agent's sound; of too much that waits it is reached at once."""
        if len(self._playing) < MAX_PIECES:
            self._playing.append(name)
        else:
            self._reached.append(name)

    def clear(self) -> list[str]:
        """Drop the agent's sound that waits; return the marks in it, and those just reached."""
        marks = self._reached + [item for item in self._playing if isinstance(item, str)]
        self._playing.clear()
        self._waiting, self._part, self._reached = 0, b"", []
        return marks

    def tick(self) -> Tick:
        """Go on by 20 ms."""
        mine = bytes(self._sending[:TICK_BYTES])
        del self._sending[:TICK_BYTES]
        mine += SILENCE[len(mine) :]
        marks, self._reached = tuple(self._reached), []
        theirs = b"".join(self._next())
        theirs += SILENCE[len(theirs) :]
        self.mine.add(mine)
        self.theirs.add(theirs)
        return Tick(mine, theirs, marks)

    def close(self) -> None:
        """Forget both tracks."""
        self.mine.close()
        self.theirs.close()

    def _next(self) -> Iterator[bytes]:
        """Yield the agent's sound of a tick, noting the marks in it: they are reached with the next one."""
        room = TICK_BYTES
        while True:
            if self._part:
                piece, self._part = self._part[:room], self._part[room:]
                room -= len(piece)
                self._waiting -= len(piece)
                yield piece
            if self._part or not self._playing:
                return
            item = self._playing[0]
            if isinstance(item, str):
                self._reached.append(item)
            elif room == 0:
                return
            else:
                self._part = item
            self._playing.popleft()
