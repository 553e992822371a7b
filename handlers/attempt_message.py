"""Handles attempt_message."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import AttemptMessage, AttemptMessageReply
from server.engine.conversation.chat_place import room_of


@handles(AttemptMessage, fails=attempt_error("send"), starts_work=True)
async def attempt_message(ctx: Context, msg: AttemptMessage) -> AttemptMessageReply:
    """Store a learner's message; the answer is streamed into the chat's room."""
    chat = await ctx.services.conversation.owned(ctx.caller, msg.chat_id)
    await ctx.enter(room_of(chat.id))
    return await ctx.services.conversation.say(chat, msg, new_id=ctx.new_id)
