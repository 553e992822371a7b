"""What a caller makes of a transcript: who has said what, as its model reads it."""

from collections.abc import Mapping, Sequence
from typing import Literal

from schemas.evaluator_run import Speaker, TranscriptItem
from server.engine.grading.transcript import clip
from server.llm import ChatTurn

MAX_HEARD = 8_000  # characters of one turn
_ROLES: Mapping[Speaker, Literal["user", "assistant"]] = {"Testing Agent": "assistant", "Main Agent": "user"}
NO_WORDS = "(Nothing was said.)"


def turns_of(transcript: Sequence[TranscriptItem]) -> list[ChatTurn]:
    """Return what was said as the caller's model reads it: the caller is the assistant, the agent the user.

    What one side says in several pieces is one turn, the last one is always the agent's. Of what is longer
    than 8,000 characters only the beginning is read.
    """
    turns: list[ChatTurn] = []
    for item in transcript:
        if item.role not in _ROLES or not item.content.strip():
            continue
        turn = ChatTurn(role=_ROLES[item.role], content=clip(item.content, MAX_HEARD))
        if turns and turns[-1]["role"] == turn["role"]:
            turns[-1]["content"] = clip(f"{turns[-1]['content']}\n{item.content}", MAX_HEARD)
        else:
            turns.append(turn)
    if not turns or turns[-1]["role"] != "user":
        turns.append(ChatTurn(role="user", content=NO_WORDS))
    return turns


def said_by_us(transcript: Sequence[TranscriptItem]) -> list[str]:
    """Return all that the caller said."""
    return [item.content for item in transcript if item.role == "Testing Agent" and item.content.strip()]


def heard_since(transcript: Sequence[TranscriptItem]) -> str:
    """Return all that the agent said since the caller said something."""
    heard: list[str] = []
    for item in reversed(transcript):
        if item.role == "Testing Agent" and item.content.strip():
            break
        if item.role == "Main Agent":
            heard.append(item.content)
    return "\n".join(reversed(heard))
