"""How many events a client may send: token buckets without I/O; times are the loop's, in seconds."""

import math
from collections import OrderedDict
from dataclasses import dataclass

from server.errors import RateLimited

PAUSE_SECONDS = 1.0
MAX_BUCKETS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Events per second in the long run, and how many may come at once."""

    per_second: float
    burst: int

    def times(self, many: int) -> "Rate":
        """Return the rate of so many clients together."""
        return Rate(per_second=self.per_second * many, burst=self.burst * many)

    def refusal(self, seconds: float) -> RateLimited:
        """Return the refusal of an event for which there is a token in some seconds."""
        message = f"More than {self.per_second:g} events in a second; slow down."
        return RateLimited(message, retry_after=math.ceil(seconds * 1000) / 1000)


AUDIO = Rate(per_second=500.0, burst=1000)  # frames of sound, which are no events: a guard before their limit


class Bucket:
    """The tokens of one client: an event takes one, a refused event takes none.

    `over_for` tells how long the client has been over its limit: the time from the first to the last of the
    refusals that followed each other within a second. Events that were let in between do not interrupt them.
    """

    __slots__ = ("_at", "_over_since", "_rate", "_refused_at", "_tokens")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._tokens = float(rate.burst)
        self._at = now
        self._refused_at = self._over_since = -math.inf

    def take(self, now: float) -> float:
        """Take a token and return 0, or return in how many seconds there is one."""
        rate = self._rate
        tokens = self._tokens + (now - self._at) * rate.per_second
        self._tokens = tokens = min(tokens, rate.burst)
        self._at = now
        if tokens >= 1:
            self._tokens = tokens - 1
            return 0.0
        if now - self._refused_at > PAUSE_SECONDS:
            self._over_since = now
        self._refused_at = now
        return (1 - tokens) / rate.per_second

    @property
    def over_for(self) -> float:
        """Return how long the client had been over its limit when it was refused last."""
        return self._refused_at - self._over_since if self._refused_at > -math.inf else 0.0

    def full(self, now: float) -> bool:
        """Tell whether the bucket is as good as a new one."""
        return self._tokens + (now - self._at) * self._rate.per_second >= self._rate.burst


class Buckets:
    """The buckets of many clients by name.

    Those that are full again are forgotten, which changes nothing, and of more than 10,000 the one that was
    used longest ago.
    """

    def __init__(self, rate: Rate, *, most: int = MAX_BUCKETS) -> None:
        self._rate = rate
        self._most = most
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: str, now: float) -> None:
        """Take a token of a client; raises RateLimited."""
        bucket = self._buckets.get(name)
        if bucket is None:
            self._forget(now)
            bucket = self._buckets[name] = Bucket(self._rate, now)
        self._buckets.move_to_end(name)
        if seconds := bucket.take(now):
            raise self._rate.refusal(seconds)

    def _forget(self, now: float) -> None:
        while self._buckets:
            oldest = next(iter(self._buckets))
            if len(self._buckets) < self._most and not self._buckets[oldest].full(now):
                return
            del self._buckets[oldest]
