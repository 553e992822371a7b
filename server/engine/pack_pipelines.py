"""Pipelines of content packs: reference documents that personas and agents of the pack rest on."""

from typing import Annotated, Literal, Self

import orjson
from pydantic import Field, model_validator

from schemas.content import CONTENT_KINDS, CONTENT_MODELS, AnyContent, Content, ContentKind, Name, Part
from schemas.pipeline import MAX_DOCUMENT, MAX_METADATA, DocumentWrite, Keys, TransformConfig
from schemas.retrieval import Metadata, RetrievalParams

PackKind = ContentKind | Literal["pipeline"]
FILE_NAME = "file_name"  # the metadata in which published clients keep a document's name


class PackDocument(Part):
    """A document of a pipeline; its id is its key in the pack. What has no name gets no metadata for it."""

    id: Annotated[str, Field(min_length=1, max_length=500)]
    name: Name | None = None
    text: Annotated[str, Field(min_length=1)]
    metadata: Metadata = {}
    excluded_embed_metadata_keys: Keys = []
    excluded_llm_metadata_keys: Keys = []

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if len(self.text.encode()) > MAX_DOCUMENT:
            raise ValueError(f"text should have at most {MAX_DOCUMENT} bytes")
        if len(orjson.dumps(self.write().metadata)) > MAX_METADATA:
            raise ValueError(f"metadata should have at most {MAX_METADATA} bytes as JSON")
        return self

    def write(self) -> DocumentWrite:
        """Return the document as a pipeline takes it: its name is metadata, which is searched too."""
        named = {FILE_NAME: self.name} if self.name is not None else {}
        return DocumentWrite(
            id=self.id,
            text=self.text,
            metadata={**named, **self.metadata},
            excluded_embed_metadata_keys=self.excluded_embed_metadata_keys,
            excluded_llm_metadata_keys=self.excluded_llm_metadata_keys,
        )


class PackPipeline(Content):
    """A pipeline with its documents; `preset` is how it is searched, `transform` how documents are cut."""

    documents: Annotated[list[PackDocument], Field(min_length=1, max_length=1_000)]
    preset: RetrievalParams = RetrievalParams()
    transform: TransformConfig = TransformConfig()


PackContent = AnyContent | PackPipeline
PACK_KINDS: tuple[PackKind, ...] = ("pipeline", *CONTENT_KINDS)  # in the order in which they are stored
PACK_MODELS: dict[PackKind, type[PackContent]] = {
    kind: PackPipeline if kind == "pipeline" else CONTENT_MODELS[kind] for kind in PACK_KINDS
}
