"""A chat, for what needs one and does not look into it."""

from datetime import UTC, datetime

from schemas.attempt import Chat
from schemas.content import ChatTemplate, Persona, Scenario
from schemas.stored import Owner
from server.engine.ids import new


def a_chat() -> Chat:
    """Return an open chat in which nothing was said."""
    persona = Persona(id=new(), name="Ada", instructions="You are Ada.")
    return Chat(
        id=new(),
        attempt_id=new(),
        chat_entry_id=new(),
        owner=Owner(kind="profile", id=new()),
        org="default",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        template=ChatTemplate(),
        scenario=Scenario(id=new(), name="A talk", situation="It rains.", persona_id=persona.id),
        persona=persona,
    )
