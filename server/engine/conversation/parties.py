"""Who may sit on a side of a conversation, and what they say."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from schemas.attempt import Chat, Message
from schemas.envelope import Usage
from server.llm import ChatTurn, Models
from server.llm.providers import is_small

SMALL_REPLY_TOKENS = 160  # the embedded model does not find an end by itself
OPENING = "(The other person has just come in. Begin the conversation in your role.)"


class Party(Protocol):
    """Somebody who speaks in a chat."""

    usage: Usage | None

    def speak(self, path: Sequence[Message]) -> AsyncGenerator[str, None]:
        """Yield the next message in parts; closing the generator stops whatever produces it."""


class PersonaParty:
    """A persona, played by a model."""

    def __init__(self, models: Models, chat: Chat) -> None:
        self._models = models
        self._chat = chat
        self.usage: Usage | None = None

    async def speak(self, path: Sequence[Message]) -> AsyncGenerator[str, None]:
        """Yield the model's answer as it comes; raises Upstream."""
        persona = self._chat.persona
        turns: list[ChatTurn] = [{"role": "system", "content": instructions(self._chat)}]
        turns += [{"role": m.role, "content": m.content} for m in path]
        if turns[-1]["role"] != "user":
            turns.append({"role": "user", "content": OPENING})
        limit = SMALL_REPLY_TOKENS if is_small(persona.model or self._models.name) else None
        async with self._models.stream(
            turns, model=persona.model, temperature=persona.temperature, max_tokens=limit
        ) as stream:
            try:
                async for text in stream:
                    yield text
            finally:
                self.usage = stream.usage


class ScriptedParty:
    """Somebody who says one prepared line."""

    def __init__(self, line: str) -> None:
        self._line = line
        self.usage: Usage | None = None

    async def speak(self, path: Sequence[Message]) -> AsyncGenerator[str, None]:
        """Yield the line, whatever was said before."""
        yield self._line


def instructions(chat: Chat) -> str:
    """Return the persona's system prompt: who it is, the situation, and what it knows."""
    parts = [chat.persona.instructions]
    if chat.scenario.situation:
        parts.append(f"The situation:\n{chat.scenario.situation}")
    if chat.persona.examples:
        parts.append("You have said things like:\n" + "\n".join(f"- {e}" for e in chat.persona.examples))
    parts += [f"You know this document, {d.name}:\n{d.text}" for d in chat.documents if d.known_to_persona]
    parts.append(f"Stay in your role as {chat.persona.name}. Answer with what you say, nothing else.")
    return "\n\n".join(parts)


def path_to(messages: Sequence[Message], last: str | None) -> list[Message]:
    """Return the messages from the root of the tree to one of them."""
    by_id = {m.id: m for m in messages}
    path: list[Message] = []
    while last is not None and (message := by_id.get(last)) is not None:
        path.append(message)
        last = message.parent_message_id
    return path[::-1]
