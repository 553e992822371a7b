"""The table of resource and entry types: what a model is asked for, and what may be linked instead."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel

from schemas.generation import ArtifactName
from server.engine.drafting import resources_common as common
from server.engine.drafting import resources_entries as entries
from server.engine.drafting import resources_kept as kept
from server.engine.drafting import resources_sets as sets
from server.engine.drafting import resources_talk as talk

# Numbered items that a prompt shows and that answers refer to by their numbers.
Items = Literal[
    "questions",
    "groups",
    "scenarios",
    "simulations",
    "agents",
    "runs",
    "rubrics",
    "personas",
    "documents",
    "profiles",
    "models",
    "parameter_fields",
    "images",
    "videos",
    "messages",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A type of resource: `asked` is what a model fills to create one, None when nothing can create it.

    `linked` is what it fills to take existing ones, which are numbered as `items`. `numbers` says to which
    numbered items the fields of the answer refer. `kept` are the forms in which it is kept, those of `asked`
    unless something else is said.
    """

    asked: type[BaseModel] | None
    linked: type[BaseModel] | None = None
    items: Items | None = None
    numbers: Mapping[str, Items] = field(default_factory=dict)
    tokens: int = 300
    kept: tuple[type[BaseModel], ...] = ()

    @property
    def forms(self) -> tuple[type[BaseModel], ...]:
        """Return the forms in which a value of this type may be kept."""
        return self.kept or ((self.asked,) if self.asked else ())


LONG = 3_000
_SCENARIO_FLAGS = Resource(asked=talk.ScenarioFlags)
_RESOURCES: dict[str, Resource] = {
    "names": Resource(asked=common.Names, tokens=80),
    "descriptions": Resource(asked=common.Descriptions, tokens=500),
    "instructions": Resource(asked=common.Instructions, tokens=LONG),
    "voices": Resource(asked=common.Voices, tokens=60),
    "colors": Resource(asked=talk.Colors, tokens=60),
    "icons": Resource(asked=talk.Icons, tokens=60),
    "examples": Resource(asked=talk.Examples, tokens=800),
    "parameter_fields": Resource(
        asked=common.ParameterFields, linked=common.Choices, items="parameter_fields", tokens=1_200
    ),
    "problem_statements": Resource(asked=talk.ProblemStatements, tokens=600),
    "objectives": Resource(asked=talk.Objectives, tokens=800),
    "images": Resource(
        asked=common.Images, linked=common.Choices, items="images", tokens=1_200, kept=(kept.ImageLinks,)
    ),
    "videos": Resource(asked=None, linked=common.Choices, items="videos", kept=(kept.VideoLinks,)),
    "questions": Resource(asked=talk.Questions, tokens=1_200),
    "options": Resource(asked=talk.Options, numbers={"question": "questions"}, tokens=LONG),
    "personas": Resource(
        asked=talk.Personas,
        linked=common.Choice,
        items="personas",
        tokens=LONG,
        kept=(talk.Personas, kept.PersonaLink),
    ),
    "documents": Resource(
        asked=talk.Documents,
        linked=common.Choices,
        items="documents",
        tokens=LONG,
        kept=(talk.Documents, kept.DocumentLinks),
    ),
    "points": Resource(asked=talk.Points, tokens=60),
    "pass_points": Resource(asked=talk.PassPoints, tokens=60),
    "standard_groups": Resource(asked=talk.StandardGroups, tokens=1_500),
    "standards": Resource(asked=talk.Standards, numbers={"group": "groups"}, tokens=LONG),
    "scenarios": Resource(
        asked=sets.Scenarios,
        linked=common.Choices,
        items="scenarios",
        tokens=6_000,
        kept=(sets.Scenarios, kept.ScenarioLinks),
    ),
    "scenario_flags": _SCENARIO_FLAGS,
    "scenario_positions": Resource(asked=sets.Order, numbers={"order": "scenarios"}),
    "scenario_rubrics": Resource(
        asked=sets.ScenarioRubrics,
        linked=sets.RubricsOfItems,
        items="rubrics",
        numbers={"item": "scenarios"},
        tokens=6_000,
        kept=(sets.ScenarioRubrics, kept.ScenarioRubricLinks),
    ),
    "scenario_time_limits": Resource(asked=sets.ScenarioTimeLimits, numbers={"scenario": "scenarios"}),
    "simulations": Resource(
        asked=None, linked=common.Choices, items="simulations", kept=(kept.SimulationLinks,)
    ),
    "simulation_positions": Resource(asked=sets.Order, numbers={"order": "simulations"}),
    "simulation_availability": Resource(
        asked=sets.SimulationAvailability, numbers={"simulation": "simulations"}, tokens=800
    ),
    "profiles": Resource(asked=None, linked=common.Choices, items="profiles", kept=(kept.ProfileLinks,)),
    "profile_personas": Resource(
        asked=sets.ProfilePersonas,
        numbers={"profile": "profiles", "persona": "personas"},
        tokens=1_500,
        kept=(kept.ProfilePersonaLinks,),
    ),
    "agents": Resource(
        asked=sets.Agents,
        linked=common.Choices,
        items="agents",
        tokens=6_000,
        kept=(sets.Agents, kept.AgentLinks),
    ),
    "run_positions": Resource(
        asked=sets.Order,
        linked=common.Choices,
        items="runs",
        numbers={"order": "runs"},
        tokens=800,
        kept=(sets.Order, kept.RunLinks),
    ),
    "group_positions": Resource(asked=sets.Order, numbers={"order": "agents"}),
    "rubrics": Resource(
        asked=sets.Rubrics,
        linked=common.Choices,
        items="rubrics",
        tokens=6_000,
        kept=(sets.Rubrics, kept.RubricLinks),
    ),
    "run_rubrics": Resource(
        asked=sets.RubricsOfItems, numbers={"item": "runs", "rubric": "rubrics"}, tokens=1_500
    ),
    "group_rubrics": Resource(asked=sets.GroupRubrics, numbers={"rubric": "rubrics"}, tokens=60),
    "models": Resource(asked=sets.ModelNames, numbers={"model": "models"}, tokens=60, kept=(kept.ModelName,)),
    "prompts": Resource(asked=sets.Prompts, tokens=LONG),
    "tools": Resource(asked=sets.Tools, tokens=LONG),
    "temperature_levels": Resource(asked=sets.TemperatureLevels, tokens=60),
    "reasoning_levels": Resource(asked=sets.ReasoningLevels, tokens=60),
    "texts": Resource(asked=sets.Texts, tokens=LONG),
    "fields": Resource(asked=sets.FieldsOfParameter, tokens=1_200),
    "uploads": Resource(asked=None),
}
_OWN: dict[tuple[ArtifactName, str], Resource] = {
    ("persona", "flags"): Resource(asked=talk.PersonaFlags),
    ("simulation", "flags"): Resource(asked=sets.SimulationFlags),
    ("simulation", "scenario_flags"): Resource(
        asked=sets.FlagsOfScenarios, numbers={"scenario": "scenarios"}, tokens=1_200
    ),
    ("rubric", "flags"): Resource(asked=talk.RubricFlags),
    ("attempt", "flags"): Resource(asked=talk.RubricFlags),
    ("document", "flags"): Resource(asked=sets.DocumentFlags),
    ("document", "fields"): Resource(asked=sets.DocumentFields, tokens=1_200),
    ("eval", "flags"): Resource(asked=sets.EvalFlags),
    ("agent", "flags"): Resource(asked=sets.AgentFlags),
    ("cohort", "flags"): Resource(asked=sets.CohortFlags),
    ("parameter", "flags"): Resource(asked=sets.ParameterFlags),
    ("chat", "scenarios"): Resource(
        asked=sets.LobbyScenario,
        linked=common.Choice,
        items="scenarios",
        tokens=LONG,
        kept=(sets.LobbyScenario, kept.ScenarioLink),
    ),
}
_ENTRIES: dict[str, Resource] = {
    "contents": Resource(asked=entries.Contents, tokens=800),
    "hints": Resource(asked=entries.Hints, tokens=600),
    "feedbacks": Resource(asked=entries.Feedbacks, tokens=1_000),
    "strengths": Resource(asked=entries.Strengths, tokens=800),
    "improvements": Resource(asked=entries.Improvements, tokens=800),
    "analyses": Resource(asked=entries.Analyses, tokens=800),
    "highlights": Resource(asked=entries.Highlights, numbers={"message": "messages"}, tokens=1_000),
    "replacements": Resource(asked=entries.Replacements, numbers={"message": "messages"}, tokens=1_500),
    "grades": Resource(asked=entries.Grades, numbers={"run": "runs"}, tokens=2_000),
}


def resource_of(artifact: ArtifactName, kind: str) -> Resource:
    """Return what is known about a resource type of an artifact, which has it."""
    return _OWN.get((artifact, kind)) or _RESOURCES[kind]


def entry_of(kind: str) -> Resource:
    """Return what is known about an entry type."""
    return _ENTRIES[kind]
