"""Resources as drafts and generations keep them, where that is not what a model filled."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.envelope import Id
from server.engine.drafting.fields import Line
from server.engine.drafting.resources_common import RubricOf


class Kept(BaseModel):
    """Base of kept resources; unknown fields are refused, so that the right form is recognised."""

    model_config = ConfigDict(extra="forbid")


class PersonaLink(Kept):
    """A persona that exists."""

    persona_id: Id


class DocumentLinks(Kept):
    """Documents that exist."""

    document_ids: Annotated[list[Id], Field(min_length=1, max_length=20)]


class ScenarioLink(Kept):
    """A scenario that exists."""

    scenario_id: Id


class ScenarioLinks(Kept):
    """Scenarios that exist."""

    scenario_ids: Annotated[list[Id], Field(min_length=1, max_length=200)]


class SimulationPlace(Kept):
    """A practice or home that exists."""

    kind: Literal["practice", "home"]
    id: Id


class SimulationLinks(Kept):
    """Practices and homes that exist."""

    simulations: Annotated[list[SimulationPlace], Field(min_length=1, max_length=50)]


class ProfileLinks(Kept):
    """People by their profile ids."""

    profile_ids: Annotated[list[Id], Field(max_length=10_000)]


class ProfilePersonaLink(Kept):
    """The persona with whom somebody practises."""

    profile_id: Id
    persona_id: Id


class ProfilePersonaLinks(Kept):
    """The personas with whom people practise."""

    profile_personas: Annotated[list[ProfilePersonaLink], Field(min_length=1, max_length=1_000)]


class AgentLinks(Kept):
    """Agents that exist."""

    agent_ids: Annotated[list[Id], Field(min_length=1, max_length=50)]


class RubricLinks(Kept):
    """Rubrics that exist."""

    rubric_ids: Annotated[list[Id], Field(min_length=1, max_length=20)]


class ScenarioRubricLinks(RubricLinks):
    """Rubrics that exist, and by which of them scenarios are judged."""

    assigned: Annotated[list[RubricOf], Field(min_length=1, max_length=200)]


class RunPlace(Kept):
    """A recorded run of a benchmark that exists."""

    benchmark_id: Id
    run_id: Id


class RunLinks(Kept):
    """Recorded runs that exist; they are copied."""

    runs: Annotated[list[RunPlace], Field(min_length=1, max_length=200)]


class ModelName(Kept):
    """A model by its name."""

    model: Annotated[str, Field(min_length=1, max_length=200)]


class MediaItem(Kept):
    """An image or a video by its address."""

    name: Line
    url: Annotated[str, Field(max_length=2_000, pattern=r"^(https?://|/)")]
    text: Annotated[str, Field(max_length=4_000)] = ""


class ImageLinks(Kept):
    """Images by their addresses."""

    images: Annotated[list[MediaItem], Field(min_length=1, max_length=20)]


class VideoLinks(Kept):
    """Videos by their addresses."""

    videos: Annotated[list[MediaItem], Field(min_length=1, max_length=20)]
