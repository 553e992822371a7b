"""How long and how much a client may take."""

from dataclasses import dataclass

from server.settings import Settings
from server.transports.expiry import GRACE_SECONDS
from server.transports.http_requests import BODY_SECONDS
from server.transports.rates import AUDIO, Rate

PER_CLIENT = Rate(per_second=20.0, burst=50)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Deadlines in seconds, sizes in bytes."""

    ping_interval: float = 20.0
    ping_timeout: float = 10.0
    connect_timeout: float = 10.0
    upgrade_timeout: float = 10.0
    attachment_timeout: float = 10.0
    body_timeout: float = BODY_SECONDS
    expiry_grace: float = GRACE_SECONDS
    max_message: int = 256 * 1024
    max_json_depth: int = 32
    max_queued: int = 64
    max_attachments: int = 10
    max_attachment_bytes: int = 1_000_000
    max_refusals: int = 5
    rate: Rate = PER_CLIENT
    over_seconds: float = 10.0
    stream: str = "attempt_audio_frame"  # has a rate of its own: what is beyond it is dropped, not refused
    stream_rate: Rate = AUDIO

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Take what the settings name and the defaults for the rest."""
        return cls(
            ping_interval=settings.ping_interval,
            ping_timeout=settings.ping_timeout,
            max_message=settings.max_message,
            max_json_depth=settings.max_json_depth,
            rate=Rate(per_second=settings.events_per_second, burst=settings.events_burst),
        )
