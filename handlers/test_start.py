"""Handles test_start."""

from handlers.base import Context, handles, test_error
from schemas.test import TestStart
from schemas.test_reply import TestStartReply


@handles(TestStart, fails=test_error("prepare"), starts_work=True)
async def test_start(ctx: Context, msg: TestStart) -> TestStartReply:
    """Create a test of a benchmark."""
    return await ctx.services.tests.start(ctx.caller, msg, new_id=ctx.new_id)
