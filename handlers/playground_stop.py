"""Handles playground_stop."""

from handlers.base import Context, handles, playground_error
from schemas.playground import PlaygroundStop, PlaygroundStopReply


@handles(PlaygroundStop, fails=playground_error)
async def playground_stop(ctx: Context, msg: PlaygroundStop) -> PlaygroundStopReply:
    """Stop the answer that is being given; its text so far is kept."""
    return PlaygroundStopReply(message_id=await ctx.services.playground.stop(ctx.caller, msg.pipeline_id))
