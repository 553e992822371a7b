"""Handles attempt_audio_frame."""

from handlers.base import Context, handles
from schemas.attempt import AttemptAudioFrame
from schemas.envelope import Payload, Reply, ServerEvent
from server.errors import GreenroomError


def fails(error: GreenroomError, payload: Payload | None) -> list[ServerEvent]:
    """Tell nothing beside the ack: fifty frames a second may be on their way to a session that has ended."""
    return []


@handles(AttemptAudioFrame, fails=fails)
async def attempt_audio_frame(ctx: Context, msg: AttemptAudioFrame) -> Reply:
    """Hear a piece of what the learner says."""
    chat = await ctx.services.conversation.owned(ctx.caller, msg.chat_id)
    ctx.services.voice.hear(chat.id, msg.audio)
    return Reply()
