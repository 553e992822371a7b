"""How content is written in a pack, where that differs from its models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel

from schemas.content import (
    Agent,
    Benchmark,
    ChatTemplate,
    Document,
    Home,
    Media,
    Option,
    Parameter,
    ParameterField,
    Persona,
    Practice,
    ProfilePersona,
    Question,
    RecordedRun,
    Rubric,
    Scenario,
    ScenarioRef,
    Standard,
    StandardGroup,
    Tool,
)
from schemas.pipeline import TransformConfig
from schemas.retrieval import RetrievalParams
from server.engine.pack_pipelines import PackDocument, PackKind, PackPipeline


@dataclass(frozen=True)
class Reference:
    """A field that names other content: the model's field, and what kind it names."""

    target: str
    kind: PackKind | Literal["video"]
    many: bool = False


@dataclass(frozen=True)
class Shape:
    """How a model is written in a pack where that differs from the model itself.

    `key_field` is filled from the key of a mapping; `shorthand` is the field that a bare text stands for;
    `conversation` is a field with messages, which pack_runs reads.
    """

    model: type[BaseModel]
    references: Mapping[str, Reference] = field(default_factory=dict)
    parts: Mapping[str, "Shape"] = field(default_factory=dict)
    inner: Mapping[str, "Shape"] = field(default_factory=dict)
    key_field: str | None = None
    shorthand: str | None = None
    conversation: str | None = None

    def fields(self) -> list[str]:
        """Return the names of the fields as an author writes them."""
        hidden = {r.target for r in self.references.values()}
        return [*(f for f in self.model.model_fields if f not in hidden), *self.references]


_VIDEO = Reference("video_id", "video")
_QUESTION = Shape(Question, references={"video": _VIDEO}, parts={"options": Shape(Option)})
_GROUP = Shape(StandardGroup, parts={"standards": Shape(Standard, key_field="level")})
_FIELDS = Shape(ParameterField)
_PLACES = {
    "scenarios": Shape(
        ScenarioRef,
        references={
            "scenario": Reference("scenario_id", "scenario"),
            "rubric": Reference("rubric_id", "rubric"),
        },
        shorthand="scenario",
    )
}
_RUN = Shape(
    RecordedRun,
    references={"rubric": Reference("rubric_id", "rubric")},
    key_field="name",
    conversation="messages",
)
_PIPELINE = {"pipeline": Reference("pipeline_id", "pipeline")}
_PAIRS = Shape(ProfilePersona, references={"persona": Reference("persona_id", "persona")})
SHAPES: dict[PackKind, Shape] = {
    "parameter": Shape(Parameter, parts={"fields": _FIELDS}),
    "pipeline": Shape(
        PackPipeline,
        parts={"documents": Shape(PackDocument, key_field="id")},
        inner={"preset": Shape(RetrievalParams), "transform": Shape(TransformConfig)},
    ),
    "persona": Shape(Persona, references=_PIPELINE, parts={"parameter_fields": _FIELDS}),
    "rubric": Shape(Rubric, parts={"groups": _GROUP}),
    "document": Shape(Document, parts={"images": Shape(Media)}),
    "agent": Shape(Agent, references=_PIPELINE, parts={"tools": Shape(Tool, key_field="name")}),
    "scenario": Shape(
        Scenario,
        references={
            "persona": Reference("persona_id", "persona"),
            "rubric": Reference("rubric_id", "rubric"),
            "documents": Reference("document_ids", "document", many=True),
        },
        parts={
            "images": Shape(Media),
            "videos": Shape(Media),
            "questions": _QUESTION,
            "parameter_fields": _FIELDS,
        },
        inner={"template": Shape(ChatTemplate)},
    ),
    "practice": Shape(Practice, parts=_PLACES),
    "home": Shape(Home, parts=_PLACES | {"profile_personas": _PAIRS}),
    "benchmark": Shape(
        Benchmark,
        references={
            "agents": Reference("agent_ids", "agent", many=True),
            "rubric": Reference("rubric_id", "rubric"),
        },
        parts={"runs": _RUN},
    ),
}
