"""How passages are found in a pipeline: the settings, the filters and the answer of retrieval."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)

from schemas.envelope import Id, JsonObject
from schemas.storable import check_storable

CLASS_NAME = "base_component"
MAX_FILTERS = 100
MAX_FILTER_DEPTH = 8
MAX_FILTER_VALUES = 2_000  # of all filters together
MAX_FILTER_TEXT = 8_000  # characters; the database takes no longer patterns
RetrievalMode = Literal["chunks", "files_via_metadata", "files_via_content", "auto_routed"]
FilterOperator = Literal[
    "==", ">", "<", "!=", ">=", "<=", "in", "nin", "any", "all", "text_match", "contains", "is_empty"
]
Default = int | float | str  # of a setting
RerankedBy = Literal["endpoint", "model", "none"]


class Component(BaseModel):
    """Base of what clients send and read here: unknown fields are ignored, wrong types are refused."""

    model_config = ConfigDict(strict=True, extra="ignore")


Text = Annotated[StrictStr, Field(max_length=MAX_FILTER_TEXT)]
Scalar = StrictBool | StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)] | Text


class MetadataFilter(Component):
    """One condition on a document's metadata; `value` is no boolean by the contract, but taken as one."""

    key: Annotated[str, Field(min_length=1, max_length=500)]
    value: Scalar | Annotated[list[Scalar], Field(max_length=1_000)] | None
    operator: FilterOperator = "=="

    @model_validator(mode="after")
    def _storable(self) -> Self:
        check_storable([self.key, self.value])
        return self


class MetadataFilters(Component):
    """Conditions, all or any of which hold; they may be nested. Without any, everything passes."""

    filters: Annotated[list["MetadataFilter | MetadataFilters"], Field(max_length=MAX_FILTERS)]
    condition: Literal["and", "or"] | None = "and"


def _values(filter_: MetadataFilter | MetadataFilters) -> int:
    if isinstance(filter_, MetadataFilters):
        return 0
    return len(filter_.value) if isinstance(filter_.value, list) else 1


def _check_size(filters: MetadataFilters | None) -> MetadataFilters | None:
    level = [] if filters is None else [filters]
    values = 0
    for _ in range(MAX_FILTER_DEPTH):
        within = [inner for outer in level for inner in outer.filters]
        values += sum(map(_values, within))
        level = [inner for inner in within if isinstance(inner, MetadataFilters)]
    if level:
        raise ValueError(f"filters are nested deeper than {MAX_FILTER_DEPTH} levels")
    if values > MAX_FILTER_VALUES:
        raise ValueError(f"filters have more than {MAX_FILTER_VALUES} values altogether")
    return filters


def _default(value: Default | None, default: Default) -> Default:
    return default if value is None else value


def or_default(default: Default) -> BeforeValidator:
    """Return a validator that takes null as the default: clients send it for what they leave open."""
    return BeforeValidator(lambda value: _default(value, default))


ClassName = Annotated[str, Field(max_length=100), or_default(CLASS_NAME)]
TopK = Annotated[int, Field(ge=1, le=100)]


class RetrievalParams(Component):
    """The settings of one retrieval; what a client has set itself is in `model_fields_set`."""

    dense_similarity_top_k: Annotated[TopK, or_default(30)] = 30
    dense_similarity_cutoff: Annotated[float, Field(ge=0, le=1), or_default(0.0)] = 0.0
    sparse_similarity_top_k: Annotated[TopK, or_default(30)] = 30
    enable_reranking: bool | None = None
    rerank_top_n: Annotated[TopK, or_default(6)] = 6
    alpha: Annotated[float, Field(ge=0, le=1)] | None = None
    search_filters: Annotated[MetadataFilters | None, AfterValidator(_check_size)] = None
    files_top_k: Annotated[int, Field(ge=1, le=5), or_default(1)] = 1
    retrieval_mode: Annotated[RetrievalMode, or_default("chunks")] = "chunks"
    retrieve_image_nodes: Annotated[bool, or_default(False)] = False
    class_name: ClassName = CLASS_NAME


class RetrieveRequest(RetrievalParams):
    """A search in a pipeline; settings that are not given are those of the pipeline's preset."""

    query: Annotated[str, Field(min_length=1, max_length=8_000)]


class Passage(BaseModel):
    """Something that retrieval found: a chunk, or a whole file, with its score.

    `text` is what a reader gets; `for_model` is what a model reads, with the metadata it may see. `cut` tells
    that it is only the beginning of a file.
    """

    id: Id
    document_id: str
    text: str
    for_model: str
    metadata: dict[str, Any] = {}
    excluded_embed_metadata_keys: list[str] = []
    excluded_llm_metadata_keys: list[str] = []
    score: float
    start: int | None = None
    end: int | None = None
    cut: bool = False


class Found(BaseModel):
    """What one retrieval found, best first, with how it was done and how long its steps took, in s."""

    passages: list[Passage]
    mode: RetrievalMode
    rerank: RerankedBy = "none"
    latency: dict[str, float] = {}


class NodeWithScore(BaseModel):
    """A passage as clients of the retrieve endpoint read it."""

    node: JsonObject
    score: float
    class_name: str = "NodeWithScore"


class Retrieved(BaseModel):
    """The answer of the retrieve endpoint; latencies are in seconds."""

    pipeline_id: Id
    retrieval_nodes: list[NodeWithScore]
    image_nodes: list[JsonObject] = []
    retrieval_latency: dict[str, float]
    metadata: dict[str, str]
    class_name: str = CLASS_NAME


Metadata = Annotated[dict[str, Any], BeforeValidator(check_storable)]
