"""Makes a recorded run of a chat that was practised, so that models can be tried as its persona."""

from schemas.attempt import Chat
from schemas.content import RecordedMessage, RecordedRun
from schemas.envelope import Id
from server.engine.conversation.parties import instructions, path_to
from server.engine.ids import derive
from server.errors import Conflict, TooLarge

MAX_TEXT = 32_000
MAX_MESSAGES = 400


def run_of_chat(chat: Chat, benchmark_id: Id) -> RecordedRun:
    """Return a closed chat as a run: the persona's instructions, then what learner and persona said.

    A chat is the same run of a benchmark every time. Its rubric is not taken: it judges the learner, and a
    replay is judged by what the persona says. Raises Conflict for a chat that is open or in which the
    learner said nothing, and TooLarge for one that no run can hold.
    """
    if chat.status != "closed":
        raise Conflict("The chat is still open; it can be recorded when it has ended.")
    said = [m for m in path_to(chat.messages, chat.tip) if m.content]
    if all(m.role != "user" for m in said):
        raise Conflict("The learner said nothing in this chat, so there is nothing to replay.")
    prompt = instructions(chat)
    if len(prompt) > MAX_TEXT or len(said) >= MAX_MESSAGES:
        raise TooLarge(f"A run has at most {MAX_MESSAGES} messages of {MAX_TEXT:,} characters.")
    messages = [RecordedMessage(role="system", content=prompt)]
    for message in said:
        at_ms = (message.created_at - chat.created_at).total_seconds() * 1000
        messages.append(
            RecordedMessage(role=message.role, content=message.content[:MAX_TEXT], at_ms=max(0.0, at_ms))
        )
    return RecordedRun(
        id=derive("recorded chat", benchmark_id, chat.id),
        name=f"{chat.scenario.name}, {chat.created_at:%Y-%m-%d %H:%M}"[:200],
        messages=messages,
    )
