"""Handles attempt_audio_mute."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import AttemptAudioMute
from schemas.envelope import Reply


@handles(AttemptAudioMute, fails=attempt_error("audio"))
async def attempt_audio_mute(ctx: Context, msg: AttemptAudioMute) -> Reply:
    """Mute a voice session, or hear it again."""
    chat = await ctx.services.conversation.owned(ctx.caller, msg.chat_id)
    ctx.services.voice.mute(chat.id, muted=msg.muted)
    return Reply()
