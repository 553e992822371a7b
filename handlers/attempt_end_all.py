"""Handles attempt_end_all."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import AttemptEndAll, AttemptEndAllReply


@handles(AttemptEndAll, fails=attempt_error("end"), starts_work=True)
async def attempt_end_all(ctx: Context, msg: AttemptEndAll) -> AttemptEndAllReply:
    """Close and grade all open chats and end the attempt."""
    return await ctx.services.attempts.end_all(ctx.caller, msg.attempt_id, new_id=ctx.new_id, enter=ctx.enter)
