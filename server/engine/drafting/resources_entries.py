"""Entries of attempts and tests, as a model fills them."""

from typing import Annotated

from pydantic import BaseModel, Field

from server.engine.drafting.fields import Line, Place, Prose, Sentence
from server.engine.grading.fields import AtMost


class Contents(BaseModel):
    """What could be said next in the conversation, word for word."""

    contents: Annotated[list[Sentence], Field(min_length=1), AtMost(4)]


class Hints(BaseModel):
    """Hints for the learner's next message: what to ask, acknowledge or do."""

    hints: Annotated[list[Sentence], Field(min_length=1), AtMost(4)]


class Feedbacks(BaseModel):
    """Feedback on what was done, addressed as you."""

    feedbacks: Annotated[list[Sentence], Field(min_length=1), AtMost(6)]


class StrengthItem(BaseModel):
    """Something that went well."""

    name: Line
    description: Sentence


class Strengths(BaseModel):
    """What went well."""

    strengths: Annotated[list[StrengthItem], Field(min_length=1), AtMost(4)]


class ImprovementItem(BaseModel):
    """Something to do differently next time."""

    name: Line
    description: Sentence


class Improvements(BaseModel):
    """What to do differently next time."""

    improvements: Annotated[list[ImprovementItem], Field(min_length=1), AtMost(4)]


class Analyses(BaseModel):
    """How it went from beginning to end, and why."""

    content: Prose


class Passage(BaseModel):
    """Words copied from one of the numbered messages."""

    message: Place
    section: Sentence


class Highlights(BaseModel):
    """The best passages of the learner."""

    highlights: Annotated[list[Passage], Field(min_length=1), AtMost(6)]


class Rewording(Passage):
    """A passage of the learner, and how to say it better."""

    replace: Sentence


class Replacements(BaseModel):
    """Passages of the learner that can be said better."""

    replacements: Annotated[list[Rewording], Field(min_length=1), AtMost(6)]


class RunGrade(BaseModel):
    """How good one of the numbered runs is, from 0 to 100, and why."""

    run: Place
    percentage: Annotated[float, Field(ge=0, le=100)]
    reason: Sentence


class Grades(BaseModel):
    """How good the numbered runs are. A suggestion: test_end grades by the rubric."""

    grades: Annotated[list[RunGrade], Field(min_length=1), AtMost(50)]
