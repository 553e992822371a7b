"""Gathers the parts of a reply into deltas and publishes them (core §1, socket-v5 §5)."""

import asyncio
from collections.abc import Callable

import orjson

from server.errors import Unavailable

GATHER_SECONDS = 0.02
RETRY_SECONDS = 0.1
Publish = Callable[[bytes], "asyncio.Future[int]"]


class Deltas:
    """One publish in flight: the first part goes at once, later ones wait for 20 ms or for the commit.

    A slow disk makes larger deltas, not more of them. `failed` holds the error of a publish that was refused.
    """

    def __init__(self, publish: Publish, *, head: bytes) -> None:
        """Take how to publish a payload, and its beginning up to the text: `{"chat_id":"…","content":`."""
        self._publish = publish
        self._head = head
        self._loop = asyncio.get_running_loop()
        self._waiting: list[str] = []
        self._flight: asyncio.Future[int] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._next_at = 0.0
        self.parts: list[str] = []
        self.failed: BaseException | None = None

    @property
    def text(self) -> str:
        """Return everything that was added so far."""
        return "".join(self.parts)

    def add(self, text: str) -> None:
        """Add a part; never blocks."""
        self.parts.append(text)
        self._waiting.append(text)
        if self._flight is None and self._timer is None:
            self._soon()

    async def close(self) -> None:
        """Publish what is left and wait until it is in the log; raises what a publish raised."""
        while self._waiting or self._flight is not None:
            if self._flight is None:
                self._cut()
            if self._flight is not None:
                await asyncio.wait([self._flight])
                await asyncio.sleep(0)  # lets _landed run
            elif self.failed is None:
                await asyncio.sleep(RETRY_SECONDS)
            if self.failed is not None:
                break
        if self.failed is not None:
            raise self.failed

    def _soon(self) -> None:
        wait = self._next_at - self._loop.time()
        if wait <= 0:
            self._cut()
        else:
            self._timer = self._loop.call_later(wait, self._cut)

    def _cut(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting or self._flight is not None or self.failed is not None:
            return
        text = "".join(self._waiting)
        try:
            self._flight = self._publish(self._head + orjson.dumps(text) + b"}")
        except Unavailable:  # too much waits for the log: this delta grows meanwhile
            self._timer = self._loop.call_later(RETRY_SECONDS, self._cut)
            return
        self._waiting.clear()
        self._next_at = self._loop.time() + GATHER_SECONDS
        self._flight.add_done_callback(self._landed)

    def _landed(self, flight: "asyncio.Future[int]") -> None:
        self._flight = None
        if flight.cancelled():
            return
        if (error := flight.exception()) is not None:
            self.failed = error
        elif self._waiting and self._timer is None:
            self._soon()
