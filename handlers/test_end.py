"""Handles test_end."""

from handlers.base import Context, handles, test_error
from schemas.test import TestEnd
from schemas.test_reply import TestEndReply


@handles(TestEnd, fails=test_error("end"), starts_work=True)
async def test_end(ctx: Context, msg: TestEnd) -> TestEndReply:
    """End a finished replay; grading goes on in the background."""
    return await ctx.services.tests.end(ctx.caller, msg, new_id=ctx.new_id, enter=ctx.stay_in_test)
