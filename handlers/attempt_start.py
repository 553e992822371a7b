"""Handles attempt_start."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import AttemptStart, AttemptStartReply


@handles(AttemptStart, fails=attempt_error("start"), starts_work=True)
async def attempt_start(ctx: Context, msg: AttemptStart) -> AttemptStartReply:
    """Create an attempt; its first chat too, unless that has a lobby."""
    return await ctx.services.attempts.start(ctx.caller, msg, new_id=ctx.new_id, enter=ctx.enter)
