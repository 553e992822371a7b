"""Hints for the learner's next message."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel

from schemas.attempt import Message
from schemas.content import Scenario
from schemas.envelope import Id
from server.engine.grading.fields import AtMost
from server.engine.grading.sieve import Sieve
from server.engine.grading.transcript import clip, quote_transcript
from server.llm import ChatTurn, Models
from server.llm.providers import is_small

MAX_TOKENS = 400
TRANSCRIPT_CHARS = 6_000  # the end of the conversation is enough to suggest what comes next
SMALL_TRANSCRIPT_CHARS = 1_200  # the embedded model answers nobody else while it reads
AUTHORED_CHARS = 1_200
TASK = (
    "You help a learner who practises a conversation with {persona}, an AI persona. Give one to three short"
    " hints for the learner's next message: what to ask, acknowledge or do, one sentence each, not the words"
    " to say, in the language of the conversation."
)


class HintsDraft(BaseModel):
    """What a model answers when asked for hints."""

    hints: Annotated[list[Annotated[str, AtMost(160)]], AtMost(3)]


class HintItem(BaseModel):
    """One hint for answering a message; `idx` is its place among the hints for that message."""

    hint: str
    message_id: Id
    idx: int


async def suggest_hints(
    models: Models,
    *,
    scenario: Scenario,
    persona_name: str,
    transcript: Sequence[Message],
    private: Sequence[str] = (),
) -> list[HintItem]:
    """Return up to three hints for answering the newest message of the persona; none before it has spoken.

    The prompt holds what the learner may see and the author's guidance for hints, never the persona's
    instructions or situation. Hints that repeat that guidance, our prompt or `private` are left out, and so
    are those that say nothing. Raises Upstream; cancelling is safe.
    """
    newest = next((m for m in reversed(transcript) if m.role == "assistant" and m.content.strip()), None)
    if newest is None:
        return []
    budget = SMALL_TRANSCRIPT_CHARS if is_small(models.name) else TRANSCRIPT_CHARS
    data = quote_transcript(transcript, budget=budget)
    rules = [TASK.format(persona=clip(persona_name, 100)), data.rules]
    system = [*rules, *_scenario_lines(scenario)]
    turns: list[ChatTurn] = [
        {"role": "system", "content": "\n".join(system)},
        {"role": "user", "content": data.text},
    ]
    parsed = await models.parse(HintsDraft, turns, temperature=0.3, max_tokens=MAX_TOKENS)
    sieve = Sieve.around(scenario, mark=data.mark, prompt=rules, private=private, transcript=transcript)
    hints = sieve.keep_each(parsed.value.hints)
    return [HintItem(hint=hint, message_id=newest.id, idx=idx) for idx, hint in enumerate(hints)]


def _scenario_lines(scenario: Scenario) -> list[str]:
    lines = []
    if scenario.problem_statement:
        lines.append(f"What the learner was told: {clip(scenario.problem_statement, AUTHORED_CHARS)}")
    if scenario.objectives:
        lines.append("The learner's objectives: " + clip("; ".join(scenario.objectives), AUTHORED_CHARS))
    if scenario.hint_guidance:
        lines.append(f"The author's guidance for hints: {clip(scenario.hint_guidance, AUTHORED_CHARS)}")
    return lines
