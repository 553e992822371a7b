"""What is said in a replay: the recorded turns that are fed, and what was said instead of the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.content import Agent, RecordedMessage, RecordedRun, ReplayMode, ToolCall
from schemas.envelope import Id, Usage
from schemas.playground import Source
from schemas.test import ReplayedMessage
from server.engine.ids import derive
from server.engine.replay.matching import Answer
from server.llm import ChatTurn


@dataclass(frozen=True, slots=True)
class Round:
    """What a recording asks, and what it answers to that, with calls of tools and their results."""

    asked: list[RecordedMessage] = field(default_factory=list)
    answered: list[RecordedMessage] = field(default_factory=list)

    @property
    def last_asked(self) -> str | None:
        """Return the last text of the user, None when there is none."""
        said = [m.content for m in self.asked if m.role == "user" and m.content.strip()]
        return said[-1] if said else None

    @property
    def last_words(self) -> str | None:
        """Return the last text of the recorded answer."""
        said = [m.content for m in self.answered if m.role == "assistant" and m.content]
        return said[-1] if said else None


class Dialogue:
    """Collects a replay's messages, and the turns that the model is shown; ids follow from the replay's."""

    def __init__(self, run: RecordedRun, agent: Agent, *, replay_id: Id, mode: ReplayMode) -> None:
        self._replay_id = replay_id
        self.messages: list[ReplayedMessage] = []
        self.turns: list[ChatTurn] = []
        opening, rounds = rounds_of(run.messages)
        if agent.instructions:
            opening = [
                RecordedMessage(role="system", content=agent.instructions),
                *(m for m in opening if m.role != "system"),
            ]
        known = rounds[:-1] if mode == "last_turn" else []
        for message in [*opening, *(m for r in known for m in (*r.asked, *r.answered))]:
            self.hear(message)
        self.rounds = rounds[len(known) :]

    def hear(self, message: RecordedMessage) -> None:
        """Add a recorded message as it is."""
        self._add(
            ReplayedMessage(
                id=self._next_id(),
                role=message.role,
                content=message.content,
                tool_calls=message.tool_calls,
                tool_call_id=message.tool_call_id,
            )
        )

    def say(
        self,
        text: str,
        *,
        calls: Sequence[ToolCall],
        usage: Usage | None,
        recorded: str | None = None,
        sources: list[Source] | None = None,
    ) -> None:
        """Add what the model said."""
        self._add(
            ReplayedMessage(
                id=self._next_id(),
                role="assistant",
                content=text,
                tool_calls=list(calls),
                usage=usage,
                recorded=recorded,
                sources=sources,
            )
        )

    def result(self, call: ToolCall, answer: Answer) -> None:
        """Add a tool's result."""
        self._add(
            ReplayedMessage(
                id=self._next_id(),
                role="tool",
                content=answer.result,
                tool_call_id=call.id,
                matched=answer.matched,
            )
        )

    def _next_id(self) -> Id:
        return derive(self._replay_id, "message", str(len(self.messages)))

    def _add(self, message: ReplayedMessage) -> None:
        self.messages.append(message)
        turn = ChatTurn(role=message.role, content=message.content)
        if message.tool_calls:
            turn["tool_calls"] = message.tool_calls
        if message.tool_call_id is not None:
            turn["tool_call_id"] = message.tool_call_id
        self.turns.append(turn)


def rounds_of(messages: Sequence[RecordedMessage]) -> tuple[list[RecordedMessage], list[Round]]:
    """Split a recording into what comes before the first user's turn, and the rounds of turns from there."""
    first = next((i for i, m in enumerate(messages) if m.role == "user"), len(messages))
    rounds: list[Round] = []
    for message in messages[first:]:
        if message.role in ("user", "system"):
            if not rounds or rounds[-1].answered:
                rounds.append(Round())
            rounds[-1].asked.append(message)
        else:
            rounds[-1].answered.append(message)
    return list(messages[:first]), [r for r in rounds if any(m.role == "user" for m in r.asked)]
