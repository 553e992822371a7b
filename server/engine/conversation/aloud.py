"""Turns that are spoken: what a learner has said, and a reply that is said aloud."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schemas.attempt import MAX_MESSAGE, Message
from schemas.envelope import Id, utc_now
from schemas.stored import Recording, RunningReply
from server.engine.conversation.parties import Party


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """Something that was said, as it was understood; `item_id` names it in the events of its speech."""

    item_id: str
    message_id: Id
    reply_id: Id
    text: str
    began: datetime
    recording: Recording | None = None

    def turn(self, *, parent: Id | None, owner: str) -> tuple[Message, RunningReply]:
        """Return its message and the reply to it, which `owner` gives."""
        user = Message(
            id=self.message_id,
            role="user",
            content=self.text[:MAX_MESSAGE],
            parent_message_id=parent,
            created_at=self.began,
            audio=self.recording,
        )
        running = RunningReply(
            message_id=self.reply_id, parent_message_id=user.id, created_at=utc_now(), owner=owner
        )
        return user, running


class Aloud(Protocol):
    """How one reply is spoken."""

    def party(self, reply: Party) -> Party:
        """Return who says a reply aloud; the text that it yields is what has been spoken."""

    @property
    def recording(self) -> Recording | None:
        """Return the sound of what was spoken, known once the party has ended."""
