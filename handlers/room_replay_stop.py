"""Handles room_replay_stop."""

from handlers.base import Context, attempt_error, handles
from schemas.envelope import Reply
from schemas.room import RoomReplayStop
from server.engine.access import in_log


@handles(RoomReplayStop, fails=attempt_error())
async def room_replay_stop(ctx: Context, msg: RoomReplayStop) -> Reply:
    """Stop what plays of a room; stopping what does not play succeeds."""
    if ctx.connection is not None:
        ctx.services.playback.stop(ctx.connection, in_log(ctx.caller, msg.room))
    return Reply()
