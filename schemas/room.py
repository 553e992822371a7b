"""Rooms: joining, leaving, resuming and replaying any room, and what the ops room tells."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, Field, model_validator

from schemas.envelope import MAX_SAFE_INTEGER, ErrorCode, Id, JsonObject, Payload, ServerEvent
from schemas.stored import Owner

_ROOM = r"^([a-z]+(_[0-9a-f-]{36})?|result_[1-9][0-9]{0,15})$"  # results have numbers, all else UUIDs
RoomName = Annotated[str, Field(min_length=1, max_length=64, pattern=_ROOM)]


MAX_SPEED = 1000.0
OpsKind = Literal["attempt", "test", "batch", "evaluator", "generation", "playground"]
OpsPhase = Literal["started", "ended", "error"]


class RoomJoin(Payload):
    """Follow a room from an offset, or from a snapshot."""

    event: ClassVar[str] = "room_join"

    room: RoomName
    after: int | None = None
    epoch: str | None = Field(default=None, max_length=64)
    audio: bool = False


class RoomLeave(Payload):
    """Stop following a room."""

    event: ClassVar[str] = "room_leave"

    room: RoomName


class RoomReplay(Payload):
    """Play a room's stored entries, both ends included, at recorded cadence × speed (0: at once)."""

    event: ClassVar[str] = "room_replay"

    room: RoomName
    from_: int | None = Field(default=None, alias="from", ge=1, le=MAX_SAFE_INTEGER)
    to: int | None = Field(default=None, ge=1, le=MAX_SAFE_INTEGER)
    speed: float = Field(ge=0, le=MAX_SPEED, allow_inf_nan=False)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_ is not None and self.to is not None and self.from_ > self.to:
            raise ValueError("from should not be after to")
        return self


class RoomReplayStop(Payload):
    """Stop playing a room's stored entries."""

    event: ClassVar[str] = "room_replay_stop"

    room: RoomName


class ReplayEntry(ServerEvent):
    """A stored entry that is played again: when it was published (epoch ms), under which name."""

    event: ClassVar[str] = "replay_entry"

    room: str
    offset: int
    at: int
    name: str
    data: JsonObject


class ReplayEnd(ServerEvent):
    """Tells that a replay has come to its end: everything that is kept up to `offset` has been played."""

    event: ClassVar[str] = "replay_end"

    room: str
    offset: int


class OpsEntry(ServerEvent):
    """Tells operators that something started, ended or failed; `subject_room` is where it is to be seen."""

    event: ClassVar[str] = "ops_entry"

    kind: OpsKind
    id: Id | int
    subject_room: str
    phase: OpsPhase
    owner: Owner
    code: ErrorCode | None = None


class OpsWaiting(BaseModel):
    """What waits for a free process, in all of them: runs of tests, batch jobs, results, documents."""

    test: int = 0
    batch: int = 0
    evaluator: int = 0
    index: int = 0


class OpsBeat(ServerEvent):
    """Tells operators every second how a process is doing; `errors` are the last second's error logs.

    `waiting` is told by one process for all.
    """

    event: ClassVar[str] = "ops_beat"

    process: str
    connections: int
    replies_running: int
    deltas_per_s: float
    deliveries_per_s: float
    jobs: int
    errors: int
    loop_lag_ms: float
    waiting: OpsWaiting | None = None


class RoomReset(ServerEvent):
    """Tells a follower that its place is gone; following goes on from `offset` with `snapshot`."""

    event: ClassVar[str] = "room_reset"

    room: str
    epoch: str
    offset: int
    snapshot: JsonObject
