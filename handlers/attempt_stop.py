"""Handles attempt_stop."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import AttemptStop, AttemptStopped
from schemas.envelope import Payload, Reply, ServerEvent
from server.engine.conversation.chat_place import room_of
from server.errors import Conflict, GreenroomError


def fails(error: GreenroomError, payload: Payload | None) -> list[ServerEvent]:
    """Say by attempt_stopped that there was nothing to stop."""
    if isinstance(payload, AttemptStop) and error.code == "conflict":
        return [AttemptStopped(chat_id=payload.chat_id, success=False, message=error.message)]
    return attempt_error("stop")(error, payload)


@handles(AttemptStop, fails=fails)
async def attempt_stop(ctx: Context, msg: AttemptStop) -> Reply:
    """Stop the running reply; its text so far is kept."""
    chat = await ctx.services.conversation.owned(ctx.caller, msg.chat_id)
    await ctx.enter(room_of(chat.id))
    if not await ctx.services.conversation.stop(chat.id):
        raise Conflict("No reply is running in this chat.")
    return Reply()
