"""Generation of content by a model."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.envelope import Change, Id, JsonObject, Payload, ServerEvent

ArtifactOperation = Literal[
    "get", "list", "duplicate", "delete", "draft", "save", "docs", "export", "refresh", "create"
]
ResourceOperation = Literal["get", "create", "link", "search", "docs"]
EntryOperation = Literal["get", "search", "docs", "create", "refresh"]
TypeName = Annotated[str, Field(min_length=1, max_length=64)]


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
    extra_messages: Annotated[list[JsonObject], Field(max_length=50)] | None = None
    metadata: JsonObject | None = None


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
    code: str
