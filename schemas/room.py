"""Rooms: joining, leaving and resuming any room."""

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.envelope import JsonObject, Payload, ServerEvent

RoomName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z]+(_[0-9a-f-]{36})?$")]


class RoomJoin(Payload):
    """Follow a room from an offset, or from a snapshot."""

    event: ClassVar[str] = "room_join"

    room: RoomName
    after: int | None = None
    epoch: str | None = Field(default=None, max_length=64)


class RoomLeave(Payload):
    """Stop following a room."""

    event: ClassVar[str] = "room_leave"

    room: RoomName


class RoomReset(ServerEvent):
    """Tells a follower that its place is gone; following goes on from `offset` with `snapshot`."""

    event: ClassVar[str] = "room_reset"

    room: str
    epoch: str
    offset: int
    snapshot: JsonObject
