"""Handles test_run."""

from handlers.base import Context, handles, test_error
from schemas.test import TestRun
from schemas.test_reply import TestRunReply


@handles(TestRun, fails=test_error("run"), starts_work=True)
async def test_run(ctx: Context, msg: TestRun) -> TestRunReply:
    """Replay a recorded run in the background."""
    return await ctx.services.tests.run(ctx.caller, msg, new_id=ctx.new_id, enter=ctx.enter_test)
