"""Handles test_next."""

from handlers.base import Context, handles, test_error
from schemas.test import TestNext
from schemas.test_reply import TestNextReply


@handles(TestNext, fails=test_error("prepare"), starts_work=True)
async def test_next(ctx: Context, msg: TestNext) -> TestNextReply:
    """Claim the next pending run for 60 s."""
    return await ctx.services.tests.next(ctx.caller, msg.test_id, new_id=ctx.new_id)
