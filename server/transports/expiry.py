"""When a live connection's token ends: its client is told, then has some seconds to send a newer one."""

import asyncio
import time
from collections.abc import Callable

from schemas.envelope import AuthExpired

GRACE_SECONDS = 5.0
MAX_SLEEP = 3600.0  # of one timer: a token that lives longer is looked at again


class Expiry:
    """Tells the client of one connection when its token ends, and ends the connection some seconds later.

    `tell` sends an event, `end` ends the connection for a reason. Nothing happens before `at` is called.
    """

    __slots__ = ("_end", "_grace", "_tell", "timer")

    def __init__(
        self,
        *,
        tell: Callable[[str, bytes], object],
        end: Callable[[str], object],
        grace: float = GRACE_SECONDS,
    ) -> None:
        self._tell: Callable[[str, bytes], object] = tell
        self._end: Callable[[str], object] = end
        self._grace = grace
        self.timer: asyncio.TimerHandle | None = None

    def at(self, expires: float | None) -> None:
        """Wait for a time in epoch seconds, None for ever; called again, the last time holds.

        That is so in the last seconds too, when the client has been told already.
        """
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if expires is None:
            return
        loop = asyncio.get_running_loop()
        left = expires - time.time()
        if left > 0:
            self.timer = loop.call_later(min(left, MAX_SLEEP), self.at, expires)
            return
        self._tell(AuthExpired.event, AuthExpired().encode())
        self.timer = loop.call_later(self._grace, self._end, "token expired")

    def stop(self) -> None:
        """Look no more; what it would tell and end is let go, so that no cycle keeps a connection."""
        self.at(None)
        self._tell, self._end = _nobody, _nobody


def _nobody(*args: object) -> None:
    """Stand for a connection that has ended."""
