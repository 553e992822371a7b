"""Handles test_group."""

from handlers.base import Context, handles, test_error
from schemas.test import TestGroup
from schemas.test_reply import TestGroupReply


@handles(TestGroup, fails=test_error("run"), starts_work=True)
async def test_group(ctx: Context, msg: TestGroup) -> TestGroupReply:
    """Replay all pending runs of an invocation, some at a time."""
    return await ctx.services.tests.group(ctx.caller, msg, enter=ctx.enter_test)
