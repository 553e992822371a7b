"""Handles attempt_stop."""

from handlers.base import Context, handles
from schemas.attempt import AttemptStop
from schemas.envelope import Reply
from server.engine.conversation.conversation import refused_stop, room_of


@handles(AttemptStop, error_type="stop")
async def attempt_stop(ctx: Context, msg: AttemptStop) -> Reply:
    """Stop the running reply; its text so far is kept."""
    chat = await ctx.services.conversation.owned(ctx.caller, msg.chat_id)
    await ctx.enter(room_of(chat.id))
    if not await ctx.services.conversation.stop(chat.id):
        raise refused_stop(chat.id)
    return Reply()
