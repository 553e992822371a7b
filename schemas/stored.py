"""What stored aggregates share: an owner, events on their way into a room, work under a lease."""

from typing import Any, Literal

from pydantic import BaseModel

from schemas.envelope import Id, Time


class Owner(BaseModel):
    """Whose something is: a profile or a guest."""

    kind: Literal["profile", "guest"]
    id: Id


class Pending(BaseModel):
    """An event that is stored with the state that caused it, until it is in its room's log."""

    r: str
    eid: str
    name: str
    j: str


class RunningReply(BaseModel):
    """The reply that a process is producing."""

    message_id: Id
    parent_message_id: Id | None = None
    created_at: Time
    owner: str
    fence: int = 1
    stop: bool = False
    cause: str = "message"


WorkKind = Literal["hint", "end", "grade", "generate"]


class Work(BaseModel):
    """Leased background work of an aggregate: another process takes it over when its owner dies."""

    id: Id
    kind: WorkKind
    owner: str
    fence: int = 1
    args: dict[str, Any] = {}


class Recording(BaseModel):
    """The sound of a message: a WAV file of one channel; `ms` long, `rate` in samples per second."""

    id: Id
    ms: int
    rate: int = 24_000
