"""Resources of personas, scenarios and rubrics, as a model fills them."""

from typing import Annotated

from pydantic import BaseModel, Field

from server.engine.drafting.fields import Line, Place, Prose, Sentence
from server.engine.drafting.resources_common import DocumentPart, PersonaPart
from server.engine.grading.fields import AtMost

# --- persona ------------------------------------------------------------------------------------------------


class Colors(BaseModel):
    """A colour that suits it, such as #2f7d6d."""

    color: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class Icons(BaseModel):
    """One emoji that stands for it."""

    icon: Annotated[str, Field(min_length=1, max_length=40)]


class PersonaFlags(BaseModel):
    """Whether the persona begins every conversation by itself."""

    speaks_first: bool


class Examples(BaseModel):
    """Things that the persona would say, word for word."""

    examples: Annotated[list[Sentence], Field(min_length=1), AtMost(6)]


# --- scenario -----------------------------------------------------------------------------------------------


class ProblemStatements(BaseModel):
    """What the learner is told before the conversation: the situation and the task."""

    problem_statement: Prose


class Objectives(BaseModel):
    """What the learner is to achieve, one thing each."""

    objectives: Annotated[list[Sentence], Field(min_length=1), AtMost(6)]


class ScenarioFlags(BaseModel):
    """How the conversation is set up."""

    persona_speaks_first: bool
    hints_enabled: bool
    copy_paste_allowed: bool
    show_objectives: bool
    show_problem_statement: bool
    questions_enabled: bool


class Personas(PersonaPart):
    """The persona of the conversation."""


class Documents(BaseModel):
    """Texts that belong to the situation."""

    documents: Annotated[list[DocumentPart], Field(min_length=1), AtMost(4)]


class QuestionItem(BaseModel):
    """A question to the learner, and whether several answers may be right."""

    text: Sentence
    allow_multiple: bool


class Questions(BaseModel):
    """Questions that the learner answers during the conversation."""

    questions: Annotated[list[QuestionItem], Field(min_length=1), AtMost(8)]


class OptionItem(BaseModel):
    """One answer to choose."""

    text: Sentence
    is_correct: bool


class OptionsOf(BaseModel):
    """The answers of one of the numbered questions, at least one of them right."""

    question: Place
    options: Annotated[list[OptionItem], Field(min_length=2), AtMost(6)]


class Options(BaseModel):
    """The answers of every numbered question."""

    options: Annotated[list[OptionsOf], Field(min_length=1), AtMost(20)]


# --- rubric -------------------------------------------------------------------------------------------------


class RubricFlags(BaseModel):
    """Whether several judges are to judge independently, which takes longer and is more reliable."""

    several_judges: bool


class Points(BaseModel):
    """The points that all criteria together can give."""

    points: Annotated[float, Field(gt=0, le=1_000)]


class PassPoints(BaseModel):
    """The points that it takes to pass."""

    pass_points: Annotated[float, Field(ge=0, le=1_000)]


class GroupItem(BaseModel):
    """One criterion: what is looked at, and its points."""

    name: Line
    description: Sentence
    points: Annotated[float, Field(gt=0, le=1_000)]
    pass_points: Annotated[float, Field(ge=0, le=1_000)]


class StandardGroups(BaseModel):
    """The criteria, each looking at something else."""

    groups: Annotated[list[GroupItem], Field(min_length=1), AtMost(8)]


class StandardItem(BaseModel):
    """One level of one of the numbered criteria: what is seen at this level, and its points."""

    group: Place
    level: Annotated[int, Field(ge=0, le=20)]
    name: Line
    points: Annotated[float, Field(ge=0, le=1_000)]
    description: Sentence


class Standards(BaseModel):
    """The levels of every numbered criterion, at least two each, the worst with 0 points."""

    standards: Annotated[list[StandardItem], Field(min_length=2), AtMost(48)]
