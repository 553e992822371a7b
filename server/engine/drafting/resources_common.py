"""Resources that several artifacts have, as a model fills them."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from server.engine.drafting.fields import Line, Pages, Place, Prose, Sentence
from server.engine.grading.fields import AtMost

Voice = Literal["alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse"]


class Names(BaseModel):
    """What it is called."""

    name: Line


class Descriptions(BaseModel):
    """What it is, in a sentence or two, for whoever chooses among many."""

    description: Prose


class Instructions(BaseModel):
    """What a model is told to be or to do, addressed as you."""

    instructions: Pages


class Voices(BaseModel):
    """The voice that it speaks with."""

    voice: Voice


class FieldItem(BaseModel):
    """One value of a parameter and what it means in a conversation."""

    name: Line
    description: Sentence


class ParameterFields(BaseModel):
    """What holds for somebody or for a situation, as values of parameters."""

    parameter_fields: Annotated[list[FieldItem], Field(min_length=1), AtMost(8)]


class ImageItem(BaseModel):
    """One image: what it is called, what is to be drawn, and what those hear who cannot see it."""

    name: Line
    prompt: Prose
    text: Sentence


class Images(BaseModel):
    """Images, described for whoever draws them."""

    images: Annotated[list[ImageItem], Field(min_length=1), AtMost(4)]


class PersonaPart(BaseModel):
    """Somebody to practise with: who they are to the learner, and what the model that plays them is told."""

    name: Line
    description: Sentence
    instructions: Pages


class DocumentPart(BaseModel):
    """A text that belongs to a situation; the persona knows it unless it is the learner's own paper."""

    name: Line
    text: Pages
    known_to_persona: bool


class LevelPart(BaseModel):
    """One level of a criterion: the worst has 0 points, the best the most."""

    level: Annotated[int, Field(ge=0, le=20)]
    name: Line
    points: Annotated[float, Field(ge=0, le=1_000)]
    description: Sentence


class CriterionPart(BaseModel):
    """One criterion of a rubric with its levels."""

    name: Line
    description: Sentence
    levels: Annotated[list[LevelPart], Field(min_length=2), AtMost(6)]


class RubricPart(BaseModel):
    """A whole rubric."""

    name: Line
    description: Sentence
    criteria: Annotated[list[CriterionPart], Field(min_length=1), AtMost(6)]


class Choice(BaseModel):
    """One of the numbered items."""

    choice: Place


class Choices(BaseModel):
    """Some of the numbered items, the most fitting first."""

    choices: Annotated[list[Place], Field(min_length=1), AtMost(20)]


class RubricOf(BaseModel):
    """Which rubric one of the numbered items is judged by."""

    item: Place
    rubric: Place
