"""Grades: what a judgement of a conversation consists of."""

from typing import Literal

from pydantic import BaseModel

from schemas.envelope import Id, Time, Usage

ResourceType = Literal["feedbacks", "strengths", "improvements", "analyses", "highlights", "replacements"]


RESOURCE_TYPES: tuple[ResourceType, ...] = (
    "feedbacks",
    "strengths",
    "improvements",
    "analyses",
    "highlights",
    "replacements",
)


class Quote(BaseModel):
    """An exact span of a message."""

    message_id: Id
    text: str


class GroupGrade(BaseModel):
    """What one standard group was given."""

    standard_group_id: Id
    name: str
    standard_id: Id | None
    points: float
    total_points: float
    pass_points: float
    passed: bool
    feedback: str
    quotes: list[Quote] = []
    dropped_quotes: int = 0


class JudgeNote(BaseModel):
    """One judgement of several: the model, its points per group, and whether it can be relied on."""

    model: str
    points: dict[str, float]
    reliable: bool = True
    note: str = ""


class Highlight(BaseModel):
    """A span of a message that shows a strength."""

    section: str
    idx: int


class Replacement(BaseModel):
    """A span of a message and what could have been said instead."""

    section: str
    replace: str
    idx: int


class Strength(BaseModel):
    """Something done well."""

    name: str
    description: str
    message_id: Id | None = None
    highlights: list[Highlight] = []


class Improvement(BaseModel):
    """Something to do better."""

    name: str
    description: str
    message_id: Id | None = None
    replacements: list[Replacement] = []


class Grade(BaseModel):
    """The judgement of one chat or run; time_taken in seconds, agreement is Krippendorff's alpha."""

    grade_id: Id
    chat_id: Id | None = None
    run_id: Id | None = None
    rubric_id: Id
    score: float
    total_points: float
    pass_points: float
    percentage: float
    passed: bool
    description: str = ""
    time_taken: float
    groups: list[GroupGrade]
    judges: list[JudgeNote] = []
    agreement: float | None = None
    strengths: list[Strength] = []
    improvements: list[Improvement] = []
    analyses: list[str] = []
    usage: Usage | None = None
    created_at: Time
