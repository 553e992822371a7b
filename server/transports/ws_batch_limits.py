"""How long and how much a client may take on the socket of a batch job."""

from dataclasses import dataclass

from server.settings import Settings
from server.transports.rates import Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    first_message: int
    later_message: int
    rate: Rate
    ping: float = 20.0
    silence: float = 60.0
    first_within: float = 60.0
    over_seconds: float = 10.0

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Take what the settings name and the defaults for the rest."""
        return cls(
            first_message=settings.max_batch_message,
            later_message=settings.max_message,
            ping=settings.ping_interval,
            rate=Rate(per_second=settings.events_per_second, burst=settings.events_burst),
        )
