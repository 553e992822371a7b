"""How much somebody may generate in a day, counted in the database for all processes."""

from datetime import UTC, datetime, timedelta

from schemas.stored import Owner
from server.errors import RateLimited, Unavailable
from server.store import Store


class Limits:
    """Counts the runs of a profile's or guest's day (UTC)."""

    def __init__(self, store: Store, *, per_day: int) -> None:
        self._store = store
        self._per_day = per_day

    async def count(self, owner: Owner) -> None:
        """Count a run; raises RateLimited when the day is full, Unavailable when no day allows any."""
        now = datetime.now(UTC)
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        key = f"{owner.kind}_{owner.id}"
        if not await self._store.generations.count(key, day=day, limit=self._per_day):
            if self._per_day < 1:
                raise Unavailable(
                    "Nothing is generated here; GREENROOM_GENERATIONS_PER_DAY must be more than 0.",
                    retryable=False,
                )
            rest = (day + timedelta(days=1) - now).total_seconds()
            raise RateLimited(
                f"{self._per_day} generations a day are allowed; go on after midnight UTC.",
                retry_after=float(round(rest) + 1),
            )
