"""Who may sit on a side of a conversation, and what they say."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from schemas.attempt import Chat, Message
from schemas.content import Document, Tool, ToolCall
from schemas.envelope import Usage
from server.llm import ChatTurn, Models
from server.llm.dialect import Reasoning
from server.llm.providers import is_small

SMALL_REPLY_TOKENS = 160  # the embedded model does not find an end by itself
OPENING = "(The other person has just come in. Begin the conversation in your role.)"


class Party(Protocol):
    """Somebody who says one thing in a conversation."""

    usage: Usage | None

    def speak(self) -> AsyncGenerator[str, None]:
        """Yield what is said in parts; closing the generator stops whatever produces it."""


class ModelParty:
    """A model that goes on with a conversation; it may call tools instead of saying something, or after."""

    def __init__(
        self,
        models: Models,
        turns: Sequence[ChatTurn],
        *,
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        tools: Sequence[Tool] = (),
        reasoning: Reasoning | None = None,
    ) -> None:
        self._models = models
        self._turns = turns
        self._model = model
        self._temperature = temperature
        self._max_tokens = max_tokens
        self._tools = tools
        self._reasoning = reasoning
        self.usage: Usage | None = None
        self.tool_calls: list[ToolCall] = []

    async def speak(self) -> AsyncGenerator[str, None]:
        """Yield the model's answer as it comes; raises Upstream. `tool_calls` are known at its end."""
        limit = SMALL_REPLY_TOKENS if is_small(self._model or self._models.name) else None
        async with self._models.stream(
            self._turns,
            model=self._model,
            temperature=self._temperature,
            max_tokens=self._max_tokens or limit,
            tools=self._tools,
            reasoning=self._reasoning,
        ) as stream:
            try:
                async for text in stream:
                    yield text
                self.tool_calls = stream.tool_calls
            finally:
                self.usage = stream.usage


class ScriptedParty:
    """Somebody who says one prepared line."""

    def __init__(self, line: str) -> None:
        self._line = line
        self.usage: Usage | None = None

    async def speak(self) -> AsyncGenerator[str, None]:
        """Yield the line."""
        yield self._line


def persona_party(
    models: Models, chat: Chat, path: Sequence[Message], *, known: str | None = None
) -> ModelParty:
    """Return a chat's persona, played by a model, who has heard what was said on a path.

    `known` is what it is told of the documents that it rests on.
    """
    prompt = instructions(chat, known=known)
    turns: list[ChatTurn] = [{"role": "system", "content": prompt}]
    turns += [{"role": m.role, "content": m.content} for m in path]
    if turns[-1]["role"] != "user":
        turns.append({"role": "user", "content": OPENING})
    return ModelParty(models, turns, model=chat.persona.model, temperature=chat.persona.temperature)


def instructions(chat: Chat, *, known: str | None = None) -> str:
    """Return the persona's system prompt: who it is, the situation, and what it knows."""
    traits = [*chat.persona.parameter_fields, *chat.scenario.parameter_fields]
    return persona_prompt(
        chat.persona.name,
        chat.persona.instructions,
        situation=chat.scenario.situation,
        examples=chat.persona.examples,
        traits=[(t.name, t.description) for t in traits],
        documents=[
            *(_document(d) for d in chat.documents if d.known_to_persona),
            *([known] if known else []),
        ],
    )


def persona_prompt(
    name: str,
    instructions: str,
    *,
    situation: str = "",
    examples: Sequence[str] = (),
    traits: Sequence[tuple[str, str]] = (),
    documents: Sequence[str] = (),
) -> str:
    """Return the system prompt of somebody whom a model plays; `traits` are names with what they mean."""
    parts = [instructions]
    if situation:
        parts.append(f"The situation:\n{situation}")
    if examples:
        parts.append("You have said things like:\n" + "\n".join(f"- {e}" for e in examples))
    if traits:
        lines = [f"- {trait}: {meaning}" if meaning else f"- {trait}" for trait, meaning in traits]
        parts.append("This holds for you and the situation:\n" + "\n".join(lines))
    parts += documents
    parts.append(f"Stay in your role as {name}. Answer with what you say, nothing else.")
    return "\n\n".join(parts)


def _document(document: Document) -> str:
    fields = "".join(f"{f.name}: {f.value}\n" for f in document.fields)
    return f"You know this document, {document.name}:\n{fields}{document.text}"


def path_to(messages: Sequence[Message], last: str | None) -> list[Message]:
    """Return the messages from the root of the tree to one of them."""
    by_id = {m.id: m for m in messages}
    path: list[Message] = []
    while last is not None and (message := by_id.get(last)) is not None:
        path.append(message)
        last = message.parent_message_id
    return path[::-1]
