"""What every event shares: identifiers, payload and event bases, acks, error codes and room places."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

ErrorCode = Literal[
    "bad_request",
    "unauthenticated",
    "forbidden",
    "not_found",
    "conflict",
    "gone",
    "too_large",
    "rate_limited",
    "internal",
    "upstream",
    "unavailable",
]
Role = Literal["learner", "author", "ops", "admin"]

MAX_CLIENT_EVENT_ID = 64
MAX_SAFE_INTEGER = 2**53


@lru_cache(maxsize=4096)  # the same id comes in one event after another
def _uuid(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        raise ValueError("this should be a UUID") from None


def iso(value: datetime) -> str:
    """Format a time as ISO 8601 UTC with milliseconds and a trailing Z."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_now() -> datetime:
    """Return the time in UTC with the precision that is stored: milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


Id = Annotated[str, Field(max_length=36, json_schema_extra={"format": "uuid"}), AfterValidator(_uuid)]
Time = Annotated[datetime, PlainSerializer(iso, return_type=str, when_used="json")]


class Payload(BaseModel):
    """Base of client events: unknown fields are ignored, wrong types are refused, not coerced."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)
    __test__: ClassVar[bool] = False  # the contract's names begin with Test; they are no test classes
    event: ClassVar[str] = ""
    raw: ClassVar[str | None] = None  # the field that is the body over HTTP; the others are in the query


class Change(Payload):
    """Base of client events that change state: they may carry an idempotency key."""

    client_event_id: str | None = Field(default=None, min_length=1, max_length=MAX_CLIENT_EVENT_ID)


class ServerEvent(BaseModel):
    """Base of events sent to clients; fields without a value are left out on the wire."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    __test__: ClassVar[bool] = False
    event: ClassVar[str] = ""

    def encode(self) -> bytes:
        """Return the payload as JSON bytes."""
        return self.model_dump_json(exclude_none=True).encode()


class Problem(BaseModel):
    """One reason why a payload was refused: where, what and pydantic's kind of error."""

    loc: list[str | int]
    msg: str
    type: str


class Failure(BaseModel):
    """What a failed event answers under `error`."""

    code: ErrorCode
    message: str
    retryable: bool
    retry_after: float | None = None
    details: list[Problem] | None = None


class RoomPlace(BaseModel):
    """A room and the offset from which a connection follows it."""

    room: str
    epoch: str
    offset: int


class Reply(BaseModel):
    """Base of the results in acks; `rooms` names rooms joined as a side effect.

    Fields that have a default are left out of the ack when they have it; the others are always there.
    """

    rooms: list[RoomPlace] | None = None


class ConnectionConfirmed(ServerEvent):
    """Tells a client who it is; the first event of every connection and stream."""

    event: ClassVar[str] = "connection_confirmed"

    sid: str
    profile_id: Id | None = None
    guest_id: Id | None = None
    server_time: float
    role: Role
    protocol: int = 5
    epoch: str
    recovered: bool | None = None


class AuthRefresh(Payload):
    """Replace the token of a live connection or session by a newer one of the same profile."""

    event = "auth_refresh"

    token: str


class AuthExpired(ServerEvent):
    """The connection's token has ended: send `auth_refresh` within five seconds, or it is closed."""

    event: ClassVar[str] = "auth_expired"


class ServerDraining(ServerEvent):
    """The server is about to stop: connect again after `reconnect_in` seconds, which differ per client."""

    event: ClassVar[str] = "server_draining"

    reconnect_in: float


class Usage(BaseModel):
    """What one model reply used; `truncated` says that old turns were dropped to fit the context."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    first_token_ms: float | None = None
    duration_ms: float = 0.0
    finish_reason: str = ""
    truncated: bool | None = None


JsonObject = dict[str, Any]
