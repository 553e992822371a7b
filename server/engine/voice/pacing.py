"""How fast sound may come and go. No I/O but the waiting itself; times are the loop's, in seconds."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

from server.engine.voice.speech import CHAT_RATE, SAMPLE_BYTES

MAX_FRAMES = 250  # a second, and at most waiting
MAX_BYTES = 128_000  # a second, and at most waiting
PIECE_SECONDS = 0.04
LEAD_SECONDS = 0.2  # that clients get sound before it is to be heard


def seconds_of(audio: bytes | bytearray, *, rate: int = CHAT_RATE) -> float:
    """Return how long some sound is."""
    return len(audio) / (SAMPLE_BYTES * rate)


def pieces_of(audio: bytes) -> Iterator[bytes]:
    """Yield some sound in pieces of 40 ms."""
    step = round(PIECE_SECONDS * CHAT_RATE) * SAMPLE_BYTES
    for start in range(0, len(audio), step):
        yield audio[start : start + step]


class Inbox:
    """What a client has sent and nobody has heard yet: within the limits of §8, the oldest are dropped."""

    def __init__(self, now: float) -> None:
        self.dropped = 0
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._at = now
        self._frame_tokens = float(MAX_FRAMES)
        self._byte_tokens = float(MAX_BYTES)

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: bytes) -> None:
        """Add a frame."""
        self._frames.append(frame)
        self._bytes += len(frame)
        while len(self._frames) > MAX_FRAMES or self._bytes > MAX_BYTES:
            self._bytes -= len(self._frames.popleft())
            self.dropped += 1

    def clear(self) -> None:
        """Forget what waits, which is no dropping: it is not wanted."""
        self._frames.clear()
        self._bytes = 0

    def take(self, now: float) -> bytes | float:
        """Return the next frame, or in how many seconds it may be taken; there has to be one."""
        passed, self._at = now - self._at, now
        self._frame_tokens = min(MAX_FRAMES, self._frame_tokens + passed * MAX_FRAMES)
        self._byte_tokens = min(MAX_BYTES, self._byte_tokens + passed * MAX_BYTES)
        size = len(self._frames[0])
        lacking = max((1 - self._frame_tokens) / MAX_FRAMES, (size - self._byte_tokens) / MAX_BYTES)
        if lacking > 0:
            return lacking
        self._frame_tokens -= 1
        self._byte_tokens -= size
        self._bytes -= size
        return self._frames.popleft()


class Pacer:
    """Sends sound as it is to be heard: in pieces of 40 ms, at most a moment ahead."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._until = 0.0  # when all that was sent will have been heard

    @property
    def ahead(self) -> float:
        """Return the seconds of sound that were sent and are not heard yet."""
        return max(0.0, self._until - asyncio.get_running_loop().time())

    async def play(self, audio: bytes, *, sent: Callable[[bytes], None]) -> None:
        """Send some sound; return when its last piece was sent, of each of which `sent` is told.

        Cancelling is safe.
        """
        for piece in pieces_of(audio):
            if (early := self.ahead - LEAD_SECONDS) > 0:
                await asyncio.sleep(early)
            self._send(piece)
            sent(piece)
            now = asyncio.get_running_loop().time()
            self._until = max(self._until, now) + seconds_of(piece)

    async def drained(self) -> None:
        """Return when what was sent has been heard."""
        await asyncio.sleep(self.ahead)
