"""Handles attempt_grade."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import AttemptGrade, AttemptGradeReply

OVER = frozenset({"attempt_graded", "attempt_error"})


@handles(AttemptGrade, fails=attempt_error("grade"), starts_work=True)
async def attempt_grade(ctx: Context, msg: AttemptGrade) -> AttemptGradeReply:
    """Grade closed chats again; the latest grade counts."""

    async def enter(room: str) -> None:
        await ctx.enter(room, until=OVER)

    return await ctx.services.attempts.grade(ctx.caller, msg, new_id=ctx.new_id, enter=enter)
