"""Handles attempt_audio_start."""

from handlers.base import Context, attempt_error, handles
from schemas.attempt import AttemptAudioStart
from schemas.envelope import Reply
from server.engine.conversation.chat_place import room_of
from server.errors import BadRequest


@handles(AttemptAudioStart, fails=attempt_error("audio"), starts_work=True)
async def attempt_audio_start(ctx: Context, msg: AttemptAudioStart) -> Reply:
    """Begin to hear a learner; attempt_audio_ready follows within 10 s, whether it works or not."""
    chat = await ctx.services.conversation.owned(ctx.caller, msg.chat_id)
    if ctx.connection is None:
        raise BadRequest("X-Session-Id: voice is heard on a session's stream; open one, and name it.")
    room = room_of(chat.id)
    await ctx.enter(room)
    ctx.listen(room)
    ctx.services.voice.start(chat, ctx.connection)
    return Reply()
