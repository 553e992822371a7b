"""Handles test_end_all."""

from handlers.base import Context, handles, test_error
from schemas.test import TestEndAll
from schemas.test_reply import TestEndAllReply


@handles(TestEndAll, fails=test_error("end"), starts_work=True)
async def test_end_all(ctx: Context, msg: TestEndAll) -> TestEndAllReply:
    """End a test and grade what is finished; what is pending is left."""
    grade_ids = await ctx.services.tests.end_all(
        ctx.caller, msg.test_id, new_id=ctx.new_id, enter=ctx.stay_in_test
    )
    return TestEndAllReply(grade_ids=grade_ids)
