"""A run's conversation as data for a judge."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.evaluator_run import Speaker, TranscriptItem
from server.engine.evaluator.judging.facts import plain
from server.engine.grading.transcript import DATA_RULES, Utterance, json_line, quote_lines

_WHO: dict[Speaker, str] = {
    "Testing Agent": "caller",
    "Main Agent": "agent",
    "Function Call": "function_call",
    "Function Call Result": "function_result",
}
WHO = "caller, agent, function_call (what the agent called) or function_result"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A conversation ready for a prompt; `left_out` counts older messages that did not fit."""

    mark: str
    text: str
    left_out: int

    @property
    def rules(self) -> str:
        """Return the paragraph for the system prompt that says what the data is."""
        return DATA_RULES.format(mark=self.mark, kind="tested", who=WHO)


def quote_run(transcript: Sequence[TranscriptItem], *, budget: int) -> Evidence:
    """Quote the newest items that fit into `budget` characters, between lines that no item can know.

    A function's call and result have a speaker of their own, so that no words of an agent can pass for them.
    """
    mark = secrets.token_hex(12)
    lines, left_out = quote_lines([_utterance(item) for item in transcript], budget=budget)
    text = "\n".join([f"<<data {mark}>>", *lines, f"<<end {mark}>>"])
    return Evidence(mark=mark, text=text, left_out=left_out)


def _utterance(item: TranscriptItem) -> Utterance:
    text = item.content if item.data is None else json_line(plain(item.data))
    return Utterance(who=_WHO[item.role], text=text, time=item.time)
