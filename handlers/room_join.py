"""Handles room_join."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import AttemptJoined, JoinReply
from schemas.room import RoomJoin


@handles(RoomJoin, fails=attempt_error("join"))
async def room_join(ctx: Context, msg: RoomJoin) -> JoinReply:
    """Follow any room that the caller may see."""
    room = await ctx.services.access.check_may_follow(ctx.caller, msg.room)
    family, _, key = msg.room.partition("_")
    marker = AttemptJoined(chat_id=key, success=True) if family == "attempt" else None
    return await ctx.join(room, after=msg.after, epoch=msg.epoch, marker=marker)
