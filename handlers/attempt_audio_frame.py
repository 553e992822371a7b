"""Handles attempt_audio_frame."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import AttemptAudioFrame
from schemas.envelope import Payload, Reply, ServerEvent
from server.errors import GreenroomError


def fails(error: GreenroomError, payload: Payload | None) -> list[ServerEvent]:
    """Tell nothing beside the ack when there is no session: many frames may be on their way to it."""
    return [] if error.code == "conflict" else attempt_error("audio")(error, payload)


@handles(AttemptAudioFrame, fails=fails)
async def attempt_audio_frame(ctx: Context, msg: AttemptAudioFrame) -> Reply:
    """Hear a piece of what the learner says."""
    chat = await ctx.services.conversation.owned(ctx.caller, msg.chat_id)
    ctx.services.voice.hear(chat.id, msg.audio, connection=ctx.connection)
    return Reply()
