"""Handles room_leave."""

from handlers.base import Context, attempt_error, handles
from schemas.envelope import Reply
from schemas.room import RoomLeave
from server.engine.access import in_log


@handles(RoomLeave, fails=attempt_error("join"))
async def room_leave(ctx: Context, msg: RoomLeave) -> Reply:
    """Stop following a room."""
    return await ctx.leave(in_log(ctx.caller, msg.room))
