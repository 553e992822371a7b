"""One judge looks at one criterion and awards one of its standards."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, Field, WithJsonSchema, create_model

from schemas.attempt import Message
from schemas.content import Scenario, Standard, StandardGroup
from schemas.envelope import Usage
from schemas.grade import Quote
from server.engine.grading.agreement import nearest_level
from server.engine.grading.fields import AtMost, Paragraph, QuoteClaim
from server.engine.grading.quotes import verify_quotes
from server.engine.grading.sieve import Sieve
from server.engine.grading.transcript import Budget, Graded, QuotedTranscript, clip, quote_transcript
from server.llm import ChatTurn, Models

MAX_TOKENS = 1_000  # more than the longest answer that the schema allows
NO_FEEDBACK = "The judge gave no usable feedback for this criterion."
TASK = (
    "You judge a learner's part in a practised conversation on one criterion, strictly by its levels. First"
    " copy up to three short quotes, word for word, from the messages that decide it, each with its message"
    " (m1, m2, …). Then give feedback of one to three sentences to the learner, as you. Then name the one"
    " level whose description fits best what the learner did; what cannot be seen was not done, and of two"
    " levels that fit equally the lower counts. Only the learner is judged; the persona's words are context."
)

ASSISTANT_TASK = (
    "You judge an assistant's part in a conversation on one criterion, strictly by its levels. First copy up"
    " to three short quotes, word for word, from the messages that decide it, each with its message (m1, m2,"
    " …). Then give feedback of one to three sentences on what the assistant did. Then name the one level"
    " whose description fits best what the assistant did; what cannot be seen was not done, and of two levels"
    " that fit equally the lower counts. Only the assistant is judged; the user's words are context. Lines in"
    " an assistant's message that begin with [tool] are what it called and what it was answered."
)
_TASKS: dict[Graded, str] = {"learner": TASK, "assistant": ASSISTANT_TASK}


class Verdict(BaseModel):
    """What a judge answers: evidence first, the level last, so that it follows from the evidence."""

    quotes: Annotated[list[QuoteClaim], AtMost(3)]
    feedback: Paragraph
    level: int


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A checked verdict of one judge on one group, and what it cost."""

    standard: Standard
    feedback: str
    quotes: list[Quote]
    dropped_quotes: int
    model: str
    reliable: bool
    usage: Usage


async def judge_group(
    models: Models,
    *,
    group: StandardGroup,
    scenario: Scenario | None,
    transcript: Sequence[Message],
    budget: Budget,
    judge: int = 0,
    private: Sequence[str] = (),
    graded: Graded = "learner",
    reference: Sequence[Message] = (),
) -> Judgement:
    """Ask judge number `judge` (from 0) for its verdict on one group.

    Judges differ in temperature and in the order in which they see the standards. A level that the group does
    not have becomes the nearest one; false quotes are dropped and counted. Feedback that says nothing, or
    repeats `private` or our own prompt, becomes NO_FEEDBACK. Raises Upstream; cancelling is safe.
    """
    data = quote_transcript(transcript, budget=budget.transcript, graded=graded, reference=reference)
    turns: list[ChatTurn] = [
        {
            "role": "system",
            "content": _prompt(group, scenario=scenario, data=data, budget=budget, judge=judge),
        },
        {"role": "user", "content": data.text},
    ]
    temperature = min(1.0, 0.2 * judge)
    parsed = await models.parse(
        _verdict_of(group),
        turns,
        model=models.judge_name,
        temperature=temperature,
        max_tokens=MAX_TOKENS,
    )
    sieve = Sieve.around(
        scenario, mark=data.mark, prompt=(_TASKS[graded], data.rules), private=private, transcript=transcript
    )
    quotes, dropped = verify_quotes(((q.message, q.text) for q in parsed.value.quotes), transcript)
    return Judgement(
        standard=nearest_level(group, parsed.value.level),
        feedback=sieve.keep(parsed.value.feedback) or NO_FEEDBACK,
        quotes=quotes,
        dropped_quotes=dropped,
        model=parsed.model,
        reliable=parsed.reliable,
        usage=parsed.usage,
    )


def standards_as_seen(group: StandardGroup, *, judge: int) -> list[Standard]:
    """Return the standards in the order that a judge sees: by level to the first, shuffled to others."""
    standards = sorted(group.standards, key=lambda s: s.level)
    if judge:
        random.Random(f"{group.id}:{judge}").shuffle(
            standards
        )  # the same in every process, so a grade can be redone
    return standards


def scenario_lines(scenario: Scenario | None, *, share: int) -> list[str]:
    """Return what a learner was told about the scenario; what only the persona knows stays out."""
    if scenario is None:
        return []
    lines = [f"Scenario: {clip(scenario.name, share)}"]
    if scenario.problem_statement:
        lines.append(f"What the learner was told: {clip(scenario.problem_statement, share)}")
    if scenario.objectives:
        lines.append("The learner's objectives: " + "; ".join(clip(o, share) for o in scenario.objectives))
    return lines


def scenario_texts(scenario: Scenario | None) -> int:
    """Return how many authored texts `scenario_lines` shows, for sharing a budget."""
    return 0 if scenario is None else 2 + len(scenario.objectives)


def _verdict_of(group: StandardGroup) -> type[Verdict]:
    """Return the verdict's schema naming this group's levels; other numbers still parse."""
    levels = sorted(s.level for s in group.standards)
    level = Annotated[int, WithJsonSchema({"type": "integer", "enum": levels})]
    return create_model("Verdict", __base__=Verdict, level=(level, Field()))


def _prompt(
    group: StandardGroup, *, scenario: Scenario | None, data: QuotedTranscript, budget: Budget, judge: int
) -> str:
    share = budget.share(len(group.standards) + 2 + scenario_texts(scenario))
    criterion = f"Criterion: {clip(group.name, share)}"
    if group.description:
        criterion += f" – {clip(group.description, share)}"
    levels = [_level_line(s, share=share) for s in standards_as_seen(group, judge=judge)]
    return "\n".join(
        [
            _TASKS[data.graded],
            data.rules,
            *scenario_lines(scenario, share=share),
            criterion,
            "Levels:",
            *levels,
        ]
    )


def _level_line(standard: Standard, *, share: int) -> str:
    name = f" ({standard.name})" if standard.name else ""
    return f"- level {standard.level}{name}: {clip(standard.description, share)}"
