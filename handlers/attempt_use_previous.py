"""Handles attempt_use_previous."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import AttemptUsePrevious, AttemptUsePreviousReply


@handles(AttemptUsePrevious, fails=attempt_error("proceed"), starts_work=True)
async def attempt_use_previous(ctx: Context, msg: AttemptUsePrevious) -> AttemptUsePreviousReply:
    """Use earlier graded chats for scenarios of this attempt, all or none."""
    return await ctx.services.attempts.use_previous(ctx.caller, msg, new_id=ctx.new_id, enter=ctx.enter)
