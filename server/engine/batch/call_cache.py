"""What a job has asked for once is not asked for again: single flight, and a bounded memory of answers."""

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, Literal, TypeVar

from server.errors import GreenroomError

T = TypeVar("T")
KeptFailures = Literal["none", "final", "all"]
ENTRY = 300  # bytes that an answer takes besides its own
FAILURES = 2  # that one who waits sees before it fails with the last


class OnceCache(Generic[T]):
    """Makes each thing once: equal ones that are wanted meanwhile wait for it, later ones find it kept.

    When the maker is cancelled or fails, one of those who wait makes it; a failure that another try cannot
    mend goes to all who wait, and so does the second one in a row: they do not queue up behind an endpoint
    that is down. `failures` are kept like answers: none, those that another try cannot mend (final), or all.
    What was used last is kept, up to `most` bytes by `size`; everything without.
    """

    def __init__(
        self,
        *,
        most: int = sys.maxsize,
        size: Callable[[T], int] = lambda _: 0,
        failures: KeptFailures = "none",
    ) -> None:
        self._most = most
        self._size = size
        self._failures = failures
        self._kept: OrderedDict[bytes, tuple[T | GreenroomError, int]] = OrderedDict()
        self._flights: dict[bytes, asyncio.Future[T | GreenroomError | None]] = {}
        self.bytes = 0

    async def get(self, key: bytes, make: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """Return the thing of a key, and whether somebody else had made it. Cancelling is safe."""
        failures = 0
        while True:
            if (kept := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                if isinstance(kept[0], GreenroomError):
                    raise _fresh(kept[0])
                return kept[0], True
            flight = self._flights.get(key)
            if flight is None:
                return await self._make(key, make), False
            made = await asyncio.shield(flight)
            if isinstance(made, GreenroomError):
                failures += 1
                if not made.may_retry or failures >= FAILURES:
                    raise made
            elif made is not None:
                return made, True

    async def _make(self, key: bytes, make: Callable[[], Awaitable[T]]) -> T:
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        outcome: T | GreenroomError | None = None
        try:
            outcome = made = await make()
            self._keep(key, made, size=self._size(made))
            return made
        except GreenroomError as error:
            outcome = error
            if self._failures == "all" or (self._failures == "final" and not error.may_retry):
                self._keep(key, _fresh(error), size=sys.getsizeof(error.message))
            raise
        finally:
            del self._flights[key]
            flight.set_result(outcome)

    def _keep(self, key: bytes, made: T | GreenroomError, *, size: int) -> None:
        size += ENTRY
        if size > self._most:
            return
        self._kept[key] = made, size
        self.bytes += size
        while self.bytes > self._most:
            _, (_, freed) = self._kept.popitem(last=False)
            self.bytes -= freed


def _fresh(error: GreenroomError) -> GreenroomError:
    """Return a failure without the frames that it came through, which would grow with each raise."""
    return type(error)(
        error.message, details=error.details, retry_after=error.retry_after, retryable=error.may_retry
    )
