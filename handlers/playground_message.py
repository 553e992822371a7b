"""Handles playground_message."""

from handlers.base import SESSION_OVER, Context, handles, playground_error
from schemas.playground import PlaygroundMessage, PlaygroundMessageReply
from server.engine.playground.rooms import playground_room


@handles(PlaygroundMessage, fails=playground_error, starts_work=True)
async def playground_message(ctx: Context, msg: PlaygroundMessage) -> PlaygroundMessageReply:
    """Store a user's message; the answer is streamed into the session's room."""
    session = await ctx.services.playground.session(ctx.caller, msg.pipeline_id)
    await ctx.enter(playground_room(session.id), until=SESSION_OVER)
    return await ctx.services.playground.say(
        ctx.caller,
        msg.pipeline_id,
        message=msg.message,
        message_id=ctx.new_id("message"),
        reply_id=ctx.new_id("reply"),
    )
