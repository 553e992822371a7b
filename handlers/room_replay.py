"""Handles room_replay."""

from handlers.base import Context, attempt_error, handles
from schemas.envelope import Reply
from schemas.room import RoomReplay
from server.errors import Conflict


@handles(RoomReplay, fails=attempt_error(), starts_work=True)
async def room_replay(ctx: Context, msg: RoomReplay) -> Reply:
    """Play stored entries of any room that the caller may see; the first follows the ack."""
    room = await ctx.services.access.check_may_follow(ctx.caller, msg.room)
    if ctx.connection is None:
        raise Conflict("A replay is sent to a stream: connect, name the session by X-Session-Id, and replay.")
    ctx.after.append(await ctx.services.playback.prepare(ctx.connection, room, msg))
    return Reply()
