"""Handles attempt_response_submit."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import (
    AttemptResponseReply,
    AttemptResponseResult,
    AttemptResponseSubmit,
)
from schemas.envelope import Payload, ServerEvent
from server.engine.conversation.chat_place import room_of
from server.errors import GreenroomError


def fails(error: GreenroomError, payload: Payload | None) -> list[ServerEvent]:
    """Say by attempt_response_result too that there is no result."""
    return [
        AttemptResponseResult(success=False, message=error.message),
        *attempt_error("quiz")(error, payload),
    ]


@handles(AttemptResponseSubmit, fails=fails)
async def attempt_response_submit(ctx: Context, msg: AttemptResponseSubmit) -> AttemptResponseReply:
    """Judge and store an answer to a question of the chat."""
    chat = await ctx.services.conversation.owned(ctx.caller, msg.chat_id)
    await ctx.enter(room_of(chat.id))
    return await ctx.services.attempts.respond(ctx.caller, msg, new_id=ctx.new_id)
