"""Handles test_leave."""

from handlers.base import Context, handles, test_error
from schemas.envelope import Reply
from schemas.test import TestLeave
from server.engine.replay.rooms import test_room


@handles(TestLeave, fails=test_error("context"))
async def test_leave(ctx: Context, msg: TestLeave) -> Reply:
    """Stop following an invocation."""
    return await ctx.leave(test_room(msg.invocation_id))
