"""Times as this interface writes them."""

from datetime import UTC, datetime


def stamp(at: datetime) -> str:
    """Return a time as ISO 8601 UTC with microseconds and a trailing Z."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
