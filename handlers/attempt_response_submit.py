"""Handles attempt_response_submit."""

from handlers.base import Context, handles
from schemas.attempt import AttemptResponseReply, AttemptResponseSubmit
from server.engine.conversation.conversation import room_of


@handles(AttemptResponseSubmit, error_type="quiz")
async def attempt_response_submit(ctx: Context, msg: AttemptResponseSubmit) -> AttemptResponseReply:
    """Judge and store an answer to a question of the chat."""
    chat = await ctx.services.conversation.owned(ctx.caller, msg.chat_id)
    await ctx.enter(room_of(chat.id))
    return await ctx.services.attempts.respond(ctx.caller, msg, new_id=ctx.new_id)
