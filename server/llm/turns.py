"""The turns of a conversation as a model reads them."""

from collections.abc import Sequence
from typing import Literal, TypedDict


class ChatTurn(TypedDict):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


def drop_oldest(turns: Sequence[ChatTurn]) -> list[ChatTurn] | None:
    """Leave out the older half of what was said, at least one turn; None when nothing may go.

    System turns and the last turn stay, and no turn is split. An answer whose question went goes too, because
    chat templates refuse a conversation that begins in the middle.
    """
    said = [i for i, turn in enumerate(turns[:-1]) if turn["role"] != "system"]
    if not said:
        return None
    count = max(1, len(said) // 2)
    while count < len(said) and turns[said[count]]["role"] == "assistant":
        count += 1
    gone = set(said[:count])
    return [turn for i, turn in enumerate(turns) if i not in gone]


def with_system(turns: Sequence[ChatTurn], text: str) -> list[ChatTurn]:
    """Add a text to the first system turn, or put one in front: many models read only one, and only there."""
    if turns and turns[0]["role"] == "system":
        first = ChatTurn(role="system", content=f"{turns[0]['content']}\n\n{text}")
        return [first, *turns[1:]]
    return [ChatTurn(role="system", content=text), *turns]
