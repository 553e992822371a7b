"""Handles test_stop."""

from handlers.base import Context, handles, test_error
from schemas.test import TestStop
from schemas.test_reply import TestStopReply


@handles(TestStop, fails=test_error("stop"))
async def test_stop(ctx: Context, msg: TestStop) -> TestStopReply:
    """Cancel the running replays of an invocation wherever they run."""
    stopped = await ctx.services.tests.stop(
        ctx.caller, msg.invocation_id, new_id=ctx.new_id, enter=ctx.enter_stop
    )
    return TestStopReply(stopped=stopped)
