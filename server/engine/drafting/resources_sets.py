"""Resources of simulations, cohorts, evals, agents, documents and parameters, as a model fills them."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from schemas.content import ChatFlag, Moment
from server.engine.drafting.fields import Line, Pages, Place, Prose, Sentence
from server.engine.drafting.resources_common import FieldItem, PersonaPart, RubricOf, RubricPart
from server.engine.grading.fields import AtMost

Seconds = Annotated[float, Field(ge=30, le=86_400)]

# --- simulation ---------------------------------------------------------------------------------------------


class SimulationFlags(BaseModel):
    """Whether it is a home, which is assigned to people, or a practice, which anybody may take."""

    assigned: bool


class ScenarioPart(BaseModel):
    """A whole scenario with its persona."""

    name: Line
    description: Sentence
    problem_statement: Prose
    objectives: Annotated[list[Sentence], Field(min_length=1), AtMost(5)]
    situation: Prose
    persona: PersonaPart


class Scenarios(BaseModel):
    """Scenarios that are practised one after another."""

    scenarios: Annotated[list[ScenarioPart], Field(min_length=1), AtMost(5)]


class LobbyScenario(BaseModel):
    """The situation that a learner asks for, within what the scenario is about."""

    name: Line
    problem_statement: Prose
    objectives: Annotated[list[Sentence], Field(min_length=1), AtMost(5)]
    situation: Prose


class FlagOf(BaseModel):
    """A setting of one of the numbered scenarios."""

    scenario: Place
    flag: ChatFlag
    value: bool


class FlagsOfScenarios(BaseModel):
    """Settings of the numbered scenarios that differ from the usual; none when nothing differs."""

    flags: Annotated[list[FlagOf], AtMost(40)]


class Order(BaseModel):
    """All the numbered items in the order in which they come."""

    order: Annotated[list[Place], Field(min_length=1), AtMost(2_000)]


class RubricsOfItems(BaseModel):
    """Which of the numbered rubrics some of the numbered items are judged by."""

    assigned: Annotated[list[RubricOf], Field(min_length=1), AtMost(200)]


class ScenarioRubrics(BaseModel):
    """A rubric for each of the numbered scenarios; several may share one."""

    rubrics: Annotated[list[RubricPart], Field(min_length=1), AtMost(3)]
    assigned: Annotated[list[RubricOf], Field(min_length=1), AtMost(20)]


class TimeLimitOf(BaseModel):
    """The longest time for one of the numbered scenarios, in seconds."""

    scenario: Place
    time_limit: Seconds


class ScenarioTimeLimits(BaseModel):
    """Time limits of the numbered scenarios that need one."""

    time_limits: Annotated[list[TimeLimitOf], Field(min_length=1), AtMost(20)]


# --- cohort -------------------------------------------------------------------------------------------------


class CohortFlags(BaseModel):
    """Whether everyone of the organisation belongs to it, besides those who are named."""

    everyone: bool


class AvailabilityOf(BaseModel):
    """From when and until when one of the numbered simulations can be begun; null for no limit."""

    simulation: Place
    available_from: Moment | None
    available_until: Moment | None


class SimulationAvailability(BaseModel):
    """When the numbered simulations can be begun."""

    availability: Annotated[list[AvailabilityOf], Field(min_length=1), AtMost(20)]


class ProfilePersonaItem(BaseModel):
    """Which of the numbered personas one of the numbered people practises with."""

    profile: Place
    persona: Place


class ProfilePersonas(BaseModel):
    """Whom people practise with, whatever the scenarios say."""

    profile_personas: Annotated[list[ProfilePersonaItem], Field(min_length=1), AtMost(200)]


# --- eval ---------------------------------------------------------------------------------------------------


class EvalFlags(BaseModel):
    """Whether only the last turn of each recorded run is answered anew, on the recorded history."""

    last_turn_only: bool


class AgentPart(BaseModel):
    """A configuration of a model under test."""

    name: Line
    description: Sentence
    instructions: Pages


class Agents(BaseModel):
    """The configurations that are compared."""

    agents: Annotated[list[AgentPart], Field(min_length=1), AtMost(4)]


class Rubrics(BaseModel):
    """Rubrics that recorded runs are judged by."""

    rubrics: Annotated[list[RubricPart], Field(min_length=1), AtMost(3)]


class GroupRubrics(BaseModel):
    """Which of the numbered rubrics all runs are judged by unless one says otherwise."""

    rubric: Place


# --- agent --------------------------------------------------------------------------------------------------


class ModelNames(BaseModel):
    """Which of the numbered models it uses."""

    model: Place


class Prompts(BaseModel):
    """The system prompt: role, aim, style and limits, addressed as you."""

    prompt: Pages


class AgentFlags(BaseModel):
    """Whether it may call tools at all."""

    uses_tools: bool


class ToolArgument(BaseModel):
    """One argument of a tool."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,63}$")]
    type: Literal["string", "number", "integer", "boolean"]
    description: Sentence
    required: bool


class ToolItem(BaseModel):
    """A function that the agent may call."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: Sentence
    arguments: Annotated[list[ToolArgument], AtMost(12)]


class Tools(BaseModel):
    """The functions that the agent may call."""

    tools: Annotated[list[ToolItem], Field(min_length=1), AtMost(16)]


class TemperatureLevels(BaseModel):
    """How freely it answers: 0 is always the same, 1 lively."""

    temperature: Annotated[float, Field(ge=0, le=2)]


class ReasoningLevels(BaseModel):
    """How long it thinks before it answers."""

    reasoning: Literal["none", "low", "medium", "high"]


# --- document and parameter ---------------------------------------------------------------------------------


class DocumentFlags(BaseModel):
    """Whether the persona knows the document; false for the learner's own paper."""

    known_to_persona: bool


class DocumentFieldItem(BaseModel):
    """A named value, such as a date or a number."""

    name: Line
    value: Sentence


class DocumentFields(BaseModel):
    """Named values that stand above the text."""

    fields: Annotated[list[DocumentFieldItem], Field(min_length=1), AtMost(20)]


class Texts(BaseModel):
    """The text of the document."""

    text: Pages


class ParameterFlags(BaseModel):
    """Whether several of the values may hold at once."""

    several: bool


class FieldsOfParameter(BaseModel):
    """The values that the parameter may have."""

    fields: Annotated[list[FieldItem], Field(min_length=1), AtMost(12)]
