"""Handles room_join."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import AttemptJoined, JoinReply
from schemas.envelope import ServerEvent
from schemas.room import RoomJoin
from schemas.test import TestJoined


@handles(RoomJoin, fails=attempt_error("join"))
async def room_join(ctx: Context, msg: RoomJoin) -> JoinReply:
    """Follow any room that the caller may see."""
    room = await ctx.services.access.check_may_follow(ctx.caller, msg.room)
    return await ctx.join(room, after=msg.after, epoch=msg.epoch, marker=_marker(msg.room), audio=msg.audio)


def _marker(room: str) -> ServerEvent | None:
    """Return what tells that all entries up to the join's offset have been sent."""
    family, _, key = room.partition("_")
    if family == "attempt":
        return AttemptJoined(chat_id=key, success=True)
    return TestJoined(invocation_id=key) if family == "test" else None
