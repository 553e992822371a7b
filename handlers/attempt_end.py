"""Handles attempt_end."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import AttemptEnd, AttemptEndReply
from server.engine.conversation.chat_place import room_of


@handles(AttemptEnd, fails=attempt_error("end"), starts_work=True)
async def attempt_end(ctx: Context, msg: AttemptEnd) -> AttemptEndReply:
    """Close a chat; it is graded and the attempt proceeds in the background."""
    chat = await ctx.services.attempts.chat_of(ctx.caller, msg.attempt_id, msg.chat_id)
    await ctx.enter(room_of(chat.id))
    ended = await ctx.services.attempts.end(ctx.caller, msg, new_id=ctx.new_id)
    ctx.services.voice.chat_closed(chat.id)
    return ended
