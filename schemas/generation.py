"""Generation of content by a model."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field

from schemas.content import ContentKind
from schemas.envelope import Change, ErrorCode, Id, JsonObject, Payload, Reply, ServerEvent, Time
from schemas.stored import Owner, Work

ArtifactOperation = Literal[
    "get", "list", "duplicate", "delete", "draft", "save", "docs", "export", "refresh", "create"
]
ResourceOperation = Literal["get", "create", "link", "search", "docs"]
EntryOperation = Literal["get", "search", "docs", "create", "refresh"]
TypeName = Annotated[str, Field(min_length=1, max_length=64)]


ArtifactName = Literal[
    "persona",
    "scenario",
    "simulation",
    "rubric",
    "document",
    "eval",
    "agent",
    "cohort",
    "parameter",
    "chat",
    "attempt",
    "test",
]


class ArtifactParts(BaseModel):
    """What an artifact consists of: its resource types and its entry types."""

    resources: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()


_SCENARIO = (
    "names",
    "descriptions",
    "problem_statements",
    "objectives",
    "scenario_flags",
    "images",
    "videos",
    "questions",
    "options",
    "parameter_fields",
    "personas",
    "documents",
)
_RUBRIC = ("names", "descriptions", "flags", "points", "pass_points", "standard_groups", "standards")
ARTIFACTS: dict[ArtifactName, ArtifactParts] = {
    "persona": ArtifactParts(
        resources=(
            "names",
            "descriptions",
            "colors",
            "icons",
            "instructions",
            "flags",
            "examples",
            "parameter_fields",
            "voices",
        )
    ),
    "scenario": ArtifactParts(resources=_SCENARIO),
    "simulation": ArtifactParts(
        resources=(
            "names",
            "descriptions",
            "flags",
            "scenarios",
            "scenario_flags",
            "scenario_positions",
            "scenario_rubrics",
            "scenario_time_limits",
        )
    ),
    "rubric": ArtifactParts(resources=_RUBRIC),
    "document": ArtifactParts(
        resources=("names", "descriptions", "flags", "fields", "texts", "images", "uploads")
    ),
    "eval": ArtifactParts(
        resources=(
            "names",
            "descriptions",
            "flags",
            "agents",
            "run_positions",
            "group_positions",
            "run_rubrics",
            "group_rubrics",
            "rubrics",
        )
    ),
    "agent": ArtifactParts(
        resources=(
            "names",
            "descriptions",
            "models",
            "prompts",
            "instructions",
            "flags",
            "tools",
            "temperature_levels",
            "reasoning_levels",
            "voices",
        )
    ),
    "cohort": ArtifactParts(
        resources=(
            "names",
            "descriptions",
            "flags",
            "simulations",
            "simulation_positions",
            "simulation_availability",
            "profiles",
            "profile_personas",
        )
    ),
    "parameter": ArtifactParts(resources=("names", "descriptions", "flags", "fields")),
    "chat": ArtifactParts(
        resources=(
            "names",
            "descriptions",
            "personas",
            "documents",
            "parameter_fields",
            "scenarios",
            "questions",
            "options",
            "videos",
            "images",
            "problem_statements",
            "objectives",
        )
    ),
    "attempt": ArtifactParts(
        resources=tuple(dict.fromkeys((*_SCENARIO, *_RUBRIC))),
        entries=(
            "contents",
            "hints",
            "feedbacks",
            "strengths",
            "improvements",
            "analyses",
            "highlights",
            "replacements",
        ),
    ),
    "test": ArtifactParts(entries=("grades", "feedbacks")),
}

# --- client events -----------------------------------------------------------------------------------------


class ExtraMessage(Payload):
    """A message that is shown to the model and not kept."""

    role: Literal["user", "assistant"]
    content: Annotated[str, Field(min_length=1, max_length=32_000)]


class ArtifactTypeItem(Payload):
    """What is generated, and how."""

    name: TypeName
    operation: ArtifactOperation


class ResourceTypeItem(Payload):
    """A part of what is generated."""

    name: TypeName
    operation: ResourceOperation


class EntryTypeItem(Payload):
    """An entry that the prompt is to hold, or that is generated."""

    name: TypeName
    operation: EntryOperation


class Generate(Change):
    """Start generating a draft."""

    event: ClassVar[str] = "generate"

    artifact_types: Annotated[list[ArtifactTypeItem], Field(min_length=1, max_length=20)]
    artifact_id: Id | None = None
    draft_id: Id | None = None
    resource_types: Annotated[list[ResourceTypeItem | TypeName], Field(max_length=50)]
    entry_types: Annotated[list[EntryTypeItem], Field(max_length=50)] | None = None
    user_instructions: (
        Annotated[list[Annotated[str, Field(max_length=4_000)]], Field(max_length=20)] | None
    ) = None
    save: bool = False
    run_id: Id | None = None
    group_id: Id | None = None
    modality: Literal["call", "audio"] = "call"
    extra_messages: Annotated[list[ExtraMessage], Field(max_length=50)] | None = None
    metadata: JsonObject | None = None


# --- acks --------------------------------------------------------------------------------------------------


class GenerateReply(Reply):
    """Ack of generate; `draft_id` is the draft that is written into, when there is one."""

    run_id: Id
    group_id: Id
    draft_id: Id | None = None
    metadata: JsonObject | None = None


# --- server events -----------------------------------------------------------------------------------------


class GenerationProgress(ServerEvent):
    """A resource has been generated."""

    event: ClassVar[str] = "generation_progress"

    artifact_type: str
    group_id: Id
    run_id: Id
    completed_resources: int
    total_resources: int
    percentage: float
    last_completed_resource: str
    resource: JsonObject | None = None


class GenerationSaved(ServerEvent):
    """What was generated is stored."""

    event: ClassVar[str] = "generation_saved"

    artifact_type: str
    group_id: Id
    run_id: Id
    artifact_id: Id | None = None


class GenerationComplete(ServerEvent):
    """A generation has ended well."""

    event: ClassVar[str] = "generation_complete"

    artifact_type: str
    group_id: Id
    run_id: Id
    success: bool = True
    message: str = ""
    artifact_id: Id | None = None
    metadata: JsonObject | None = None


class GenerationError(ServerEvent):
    """A generation has failed."""

    event: ClassVar[str] = "generation_error"

    artifact_type: str
    group_id: Id | None = None
    resource_type: str | None = None
    resource_types: list[str] | None = None
    resource_id: Id | None = None
    run_id: Id | None = None
    success: bool = False
    message: str
    code: ErrorCode


# --- stored documents --------------------------------------------------------------------------------------


class Step(BaseModel):
    """One resource or entry that is to be made."""

    type: str
    kind: Literal["resource", "entry"] = "resource"
    operation: Literal["create", "link"] = "create"


class Made(BaseModel):
    """A resource or entry that was made."""

    type: str
    value: JsonObject


class Lookup(BaseModel):
    """Something that is added to the prompt: what exists (get), what is alike (search), its schema (docs)."""

    artifact: ArtifactName
    type: str | None = None  # None: the artifact itself
    kind: Literal["artifact", "resource", "entry"]
    operation: Literal["get", "search", "docs"]


class Saving(BaseModel):
    """Content that is being saved; `version` is the one that it replaces, None for new content."""

    kind: ContentKind
    version: int | None = None
    body: JsonObject


class ForChat(BaseModel):
    """The place in an attempt whose chat a generation is for."""

    attempt_id: Id
    chat_entry_id: Id


class Generation(BaseModel):
    """A run of generate, from the request to its end; `id` is its run_id.

    `extra_messages` are kept while it runs and removed with its end.
    """

    id: Id
    owner: Owner
    org: str
    author: bool  # others do not see what only personas and authors know
    digest: str
    group_id: Id
    artifact_type: ArtifactName
    artifact_id: Id | None = None
    version: int | None = None  # of the content that is changed, when the run began
    draft_id: Id | None = None
    save: bool = False
    steps: list[Step]
    lookups: list[Lookup] = []
    wishes: list[str] = []
    extra_messages: list[ExtraMessage] = []
    metadata: JsonObject | None = None
    for_chat: ForChat | None = None
    made: list[Made] = []
    staged: Made | None = None  # made, and on its way into the draft
    saving: list[Saving] = []
    state: Literal["running", "done", "failed"] = "running"
    saved_id: Id | None = None
    work: list[Work] = []
    created_at: Time
    ended_at: Time | None = None
