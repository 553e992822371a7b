"""Handles attempt_leave."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import AttemptLeave
from schemas.envelope import Reply
from server.engine.conversation.chat_place import room_of


@handles(AttemptLeave, fails=attempt_error("join"))
async def attempt_leave(ctx: Context, msg: AttemptLeave) -> Reply:
    """Stop following a chat."""
    return await ctx.leave(room_of(msg.chat_id))
