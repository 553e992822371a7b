"""Handles test_join."""

from handlers.base import Context, handles, test_error
from schemas.attempt import JoinReply
from schemas.test import TestJoin, TestJoined
from server.engine.replay.rooms import test_room


@handles(TestJoin, fails=test_error("context"))
async def test_join(ctx: Context, msg: TestJoin) -> JoinReply:
    """Follow an invocation from an offset, or from a snapshot."""
    room = await ctx.services.access.check_may_follow(ctx.caller, test_room(msg.invocation_id))
    marker = TestJoined(invocation_id=msg.invocation_id)
    return await ctx.join(room, after=msg.after, epoch=msg.epoch, marker=marker)
