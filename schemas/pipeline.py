"""Pipelines and their documents, as they are stored and as clients send and read them."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from schemas.envelope import Id, JsonObject, Time
from schemas.retrieval import Component, Metadata, RetrievalParams
from schemas.storable import check_name, check_storable
from schemas.stored import Owner

MAX_DOCUMENT = 4 * 1024 * 1024  # bytes of a document's text
MAX_FILE = 20 * 1024 * 1024  # bytes of an uploaded file
MAX_METADATA = 64 * 1024  # bytes of a document's metadata as JSON
MAX_METADATA_KEYS = 128  # of a document, each of which filters find through an index
MAX_METADATA_ELEMENTS = 512  # of all lists in a document's metadata together
MAX_DOCUMENTS_AT_ONCE = 1_000
MAX_DOCUMENTS = 100_000  # of a pipeline
MAX_PIPELINES = 1_000  # of an owner
MAX_PRESET = 64 * 1024  # bytes of a pipeline's preset as JSON
PipelineType = Literal["MANAGED", "PLAYGROUND"]
PipelineStatus = Literal["NOT_STARTED", "IN_PROGRESS", "SUCCESS", "ERROR", "PARTIAL_SUCCESS"]
DocumentState = Literal["queued", "indexed", "failed"]
EmbeddingType = Literal[
    "OPENAI_EMBEDDING",
    "AZURE_EMBEDDING",
    "BEDROCK_EMBEDDING",
    "COHERE_EMBEDDING",
    "GEMINI_EMBEDDING",
    "HUGGINGFACE_API_EMBEDDING",
    "MANAGED_OPENAI_EMBEDDING",
    "VERTEXAI_EMBEDDING",
]
Name = Annotated[str, Field(min_length=1, max_length=3000), AfterValidator(check_name)]
Keys = Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=100)]


class EmbeddingConfig(BaseModel):
    """What clients say of embeddings; kept for them and read by nothing: the server's settings decide."""

    model_config = ConfigDict(extra="ignore")

    type: EmbeddingType = "OPENAI_EMBEDDING"


class TransformConfig(Component):
    """How documents are cut into chunks; sizes in tokens."""

    mode: Literal["auto", "advanced"] = "auto"
    chunk_size: Annotated[int, Field(ge=16, le=8_192)] = 1024
    chunk_overlap: Annotated[int, Field(ge=0, le=4_096)] = 200

    @model_validator(mode="after")
    def _overlaps(self) -> Self:
        if self.chunk_overlap >= self.chunk_size:
            raise ValueError("chunk_overlap should be less than chunk_size")
        return self


class PipelineWrite(Component):
    """A pipeline as clients create it (POST) or create and replace it by its name (PUT)."""

    name: Name
    embedding_config: EmbeddingConfig | None = None
    transform_config: TransformConfig | None = None
    preset_retrieval_parameters: RetrievalParams | None = None
    pipeline_type: PipelineType = "MANAGED"
    shared: bool = False


class PipelineUpdate(Component):
    """What changes of a pipeline; what is not given, or null, stays."""

    name: Name | None = None
    embedding_config: EmbeddingConfig | None = None
    transform_config: TransformConfig | None = None
    preset_retrieval_parameters: RetrievalParams | None = None
    pipeline_type: PipelineType | None = None
    shared: bool | None = None


class Pipeline(BaseModel):
    """A pipeline as it is stored.

    `changes` grows in the transaction that changes what is searched: each process compares it with what it
    has in memory. `rewrites` grows after documents were replaced, before whoever did that is answered.
    `transform_version` grows with each change of how documents are cut.
    """

    id: Id
    org: str
    owner: Owner
    name: str
    embedding_config: EmbeddingConfig = EmbeddingConfig()
    transform_config: TransformConfig = TransformConfig()
    preset_retrieval_parameters: RetrievalParams
    pipeline_type: PipelineType = "MANAGED"
    shared: bool = False
    created_at: Time
    updated_at: Time
    changes: int = 0
    rewrites: int = 0
    transform_version: int = 1


class DocumentWrite(Component):
    """A document as clients send it; the same `id` again replaces it."""

    text: str
    metadata: Metadata = {}
    id: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(check_name)] | None = None
    excluded_embed_metadata_keys: Keys = []
    excluded_llm_metadata_keys: Keys = []

    @model_validator(mode="after")
    def _storable(self) -> Self:
        check_storable(self.text)
        return self


class PipelineDocument(BaseModel):
    """A document of a pipeline as it is stored; `text` is empty until an uploaded file has been read.

    `id` is the client's own, or a UUID; `key` is unique among all pipelines. `revision` counts its writes:
    chunks of another revision are no longer its. `indexed` is the revision whose chunks are searched.
    """

    key: Id
    id: str
    pipeline_id: Id
    org: str
    text: str = ""
    metadata: dict[str, Any] = {}
    excluded_embed_metadata_keys: list[str] = []
    excluded_llm_metadata_keys: list[str] = []
    file: Id | None = None  # the stored upload that `text` comes from
    state: DocumentState = "queued"
    error: str | None = None
    revision: int = 1
    indexed: int = 0
    chunks: int = 0
    created_at: Time
    updated_at: Time


class Chunk(BaseModel):
    """A part of a document that is found as a whole; `start` and `end` are characters of its text."""

    id: Id
    pipeline_id: Id
    document_key: Id
    document_id: str
    revision: int
    number: int
    about: str = ""  # its document's metadata, as it is embedded and searched with the text
    text: str
    start: int
    end: int
    embedder: str  # the model that made the vector
    vector: bytes  # normalised float32, little-endian


class PipelineView(BaseModel):
    """A pipeline as clients read it; `project_id` is the organisation's."""

    id: Id
    created_at: Time
    updated_at: Time
    name: str
    project_id: Id
    pipeline_type: PipelineType
    embedding_config: EmbeddingConfig
    transform_config: TransformConfig
    preset_retrieval_parameters: JsonObject
    shared: bool
    owner_id: Id


class DocumentView(BaseModel):
    """A document as clients read it."""

    id: str
    text: str
    metadata: JsonObject
    excluded_embed_metadata_keys: list[str]
    excluded_llm_metadata_keys: list[str]


class StatusView(BaseModel):
    """How far the indexing of a pipeline or a document is; `error` lists what failed, 20 at most."""

    status: PipelineStatus
    error: list[JsonObject] | None = None
    documents: dict[DocumentState, int] | None = None
