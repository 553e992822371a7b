"""The turns of a conversation as a model reads them."""

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict

from schemas.content import ToolCall


class ChatTurn(TypedDict):
    """One turn of a conversation; a tool's result is a turn of role tool that names the call."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: NotRequired[Sequence[ToolCall]]
    tool_call_id: NotRequired[str]


def drop_oldest(turns: Sequence[ChatTurn]) -> list[ChatTurn] | None:
    """Leave out the older half of what was said, at least one turn; None when nothing may go.

    System turns and the last turn stay, and no turn is split. An answer whose question went goes too, because
    chat templates refuse a conversation that begins in the middle; so do results whose calls went. Where the
    last turn is a tool's result, all since the question stays while anything older can go.
    """
    asked = _asked(turns)
    said = [i for i, turn in enumerate(turns[:asked]) if turn["role"] != "system"]
    if not said:
        return _drop_rounds(turns, asked)
    count = max(1, len(said) // 2)
    while count < len(said) and turns[said[count]]["role"] in ("assistant", "tool"):
        count += 1
    gone = set(said[:count])
    return [turn for i, turn in enumerate(turns) if i not in gone]


def with_system(turns: Sequence[ChatTurn], text: str) -> list[ChatTurn]:
    """Add a text to the first system turn, or put one in front: many models read only one, and only there."""
    if turns and turns[0]["role"] == "system":
        first = ChatTurn(role="system", content=f"{turns[0]['content']}\n\n{text}")
        return [first, *turns[1:]]
    return [ChatTurn(role="system", content=text), *turns]


def _asked(turns: Sequence[ChatTurn]) -> int:
    """Return where the part that has to be answered begins: at the last turn, or the question of results."""
    if not turns or turns[-1]["role"] != "tool":
        return max(0, len(turns) - 1)
    return max((i for i, turn in enumerate(turns) if turn["role"] == "user"), default=0)


def _drop_rounds(turns: Sequence[ChatTurn], asked: int) -> list[ChatTurn] | None:
    """Leave out the older half of the rounds of calls with their results that one question took."""
    rounds = [i for i, turn in enumerate(turns) if i >= asked and turn["role"] == "assistant"]
    if not turns or turns[-1]["role"] != "tool" or len(rounds) < 2:
        return None
    return [*turns[: rounds[0]], *turns[rounds[len(rounds) // 2] :]]
