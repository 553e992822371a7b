"""Handles generate."""

from handlers.base import Context, generation_error, handles
from schemas.generation import Generate, GenerateReply


@handles(Generate, fails=generation_error, starts_work=True)
async def generate(ctx: Context, msg: Generate) -> GenerateReply:
    """Start to generate content; progress and result come in the caller's own room."""
    return await ctx.services.generating.generate(ctx.caller, msg, new_id=ctx.new_id)
