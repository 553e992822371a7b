"""Handles attempt_join."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import AttemptJoin, AttemptJoined, JoinReply
from server.engine.conversation.chat_place import room_of


@handles(AttemptJoin, fails=attempt_error("join"))
async def attempt_join(ctx: Context, msg: AttemptJoin) -> JoinReply:
    """Follow a chat from an offset, or from a snapshot."""
    room = room_of(msg.chat_id)
    await ctx.services.access.check_may_follow(ctx.caller, room)
    marker = AttemptJoined(chat_id=msg.chat_id, success=True)
    return await ctx.join(room, after=msg.after, epoch=msg.epoch, marker=marker, audio=msg.audio)
