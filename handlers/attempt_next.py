"""Handles attempt_next."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import AttemptNext, AttemptNextReply


@handles(AttemptNext, fails=attempt_error("next"), starts_work=True)
async def attempt_next(ctx: Context, msg: AttemptNext) -> AttemptNextReply:
    """Proceed to the next scenario, past its lobby."""
    return await ctx.services.attempts.next(ctx.caller, msg, new_id=ctx.new_id, enter=ctx.enter)
