"""Handles playground_join."""

from handlers.base import Context, handles, playground_error
from schemas.playground import PlaygroundJoin, PlaygroundJoinReply
from server.engine.playground.rooms import playground_room


@handles(PlaygroundJoin, fails=playground_error)
async def playground_join(ctx: Context, msg: PlaygroundJoin) -> PlaygroundJoinReply:
    """Follow one's own session of a pipeline from an offset, or from a snapshot."""
    session = await ctx.services.playground.session(ctx.caller, msg.pipeline_id)
    joined = await ctx.join(playground_room(session.id), after=msg.after, epoch=msg.epoch, marker=None)
    return PlaygroundJoinReply(session_id=session.id, **joined.model_dump(exclude={"rooms"}))
