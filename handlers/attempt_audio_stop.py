"""Handles attempt_audio_stop."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import AttemptAudioStop
from schemas.envelope import Reply


@handles(AttemptAudioStop, fails=attempt_error("audio"))
async def attempt_audio_stop(ctx: Context, msg: AttemptAudioStop) -> Reply:
    """End a voice session; what was said stays, a reply that runs goes on."""
    chat = await ctx.services.conversation.owned(ctx.caller, msg.chat_id)
    ctx.services.voice.stop(chat.id, reason=msg.end_reason)
    return Reply()
