"""The parts of a grade that we compute ourselves: sums, the description, the judges' notes, the usage."""

import math
from collections.abc import Iterable, Sequence

from schemas.content import Rubric, Standard, StandardGroup
from schemas.envelope import Usage
from schemas.grade import GroupGrade, JudgeNote
from server.engine.grading.agreement import clamp
from server.engine.grading.judge import Judgement
from server.engine.grading.transcript import Graded

NOT_A_JUDGE = "This grade was made by a small model that is no judge; do not rely on it."
NOTHING_SAID: dict[Graded, str] = {
    "learner": "You said nothing in this conversation, so there is nothing to judge.",
    "assistant": "The assistant said nothing in this conversation, so there is nothing to judge.",
}


def add_points(points: Iterable[float]) -> float:
    """Return the exact sum of points, so that 0.1 ten times is 1 and passes where 1 is needed."""
    return round(math.fsum(points), 6)


def percentage(score: float, total: float) -> float:
    """Return score in percent of total, 0 when there is nothing to reach."""
    return round(100 * score / total, 2) if total else 0.0


def group_grade(
    group: StandardGroup, *, standard: Standard, feedback: str, judgement: Judgement | None = None
) -> GroupGrade:
    """Return the grade of a group that was given a standard, with the quotes of a judgement."""
    points = clamp(standard.points, group)
    return GroupGrade(
        standard_group_id=group.id,
        name=group.name,
        standard_id=standard.id,
        points=points,
        total_points=group.points,
        pass_points=group.pass_points,
        passed=points >= group.pass_points,
        feedback=feedback,
        quotes=judgement.quotes if judgement else [],
        dropped_quotes=judgement.dropped_quotes if judgement else 0,
    )


def judge_notes(rubric: Rubric, judgements: Sequence[Sequence[Judgement]]) -> list[JudgeNote]:
    """Return one note per judge from the judgements by group, then judge."""
    notes = []
    for judge in range(rubric.judges):
        own = [by_judge[judge] for by_judge in judgements]
        reliable = all(j.reliable for j in own)
        points = {g.id: clamp(j.standard.points, g) for g, j in zip(rubric.groups, own, strict=True)}
        note = "" if reliable else NOT_A_JUDGE
        notes.append(JudgeNote(model=own[0].model, points=points, reliable=reliable, note=note))
    return notes


def add_usage(usages: Sequence[Usage]) -> Usage:
    """Return the sum of what all calls used; the cost is known only when that of every call is."""
    costs = [u.cost_usd for u in usages if u.cost_usd is not None]
    return Usage(
        prompt_tokens=sum(u.prompt_tokens for u in usages),
        completion_tokens=sum(u.completion_tokens for u in usages),
        cost_usd=math.fsum(costs) if costs and len(costs) == len(usages) else None,
        duration_ms=math.fsum(u.duration_ms for u in usages),
        truncated=True if any(u.truncated for u in usages) else None,
    )


def describe(
    rubric: Rubric, groups: Sequence[GroupGrade], *, score: float, reliable: bool = True, left_out: int = 0
) -> str:
    """Return the paragraph on top of a grade, composed from its numbers alone."""
    passed = "passed" if score >= rubric.pass_points else "not passed"
    percent = percentage(score, rubric.points)
    parts = [] if reliable else [NOT_A_JUDGE]
    parts.append(
        f"{score:g} of {rubric.points:g} points ({percent:g}%), {passed}: {rubric.pass_points:g} were needed."
    )
    ranked = sorted(groups, key=lambda g: percentage(g.points, g.total_points))
    weakest, strongest = ranked[0], ranked[-1]
    if percentage(weakest.points, weakest.total_points) < percentage(
        strongest.points, strongest.total_points
    ):
        parts.append(f"Strongest in “{strongest.name}” ({strongest.points:g} of {strongest.total_points:g}),")
        parts.append(f"most to gain in “{weakest.name}” ({weakest.points:g} of {weakest.total_points:g}).")
    if left_out:
        parts.append(
            f"The conversation was too long for the judge: its {left_out} oldest messages were not read."
        )
    return " ".join(parts)


def describe_missing(parts: Sequence[str]) -> str:
    """Return the sentence on parts of a grade that the model failed to give, "" when it gave all."""
    if not parts:
        return ""
    named = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
    return f"Missing: {named}, because the model did not answer."
