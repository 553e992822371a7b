"""Pipelines of exported content: in the pack with their documents, or left out with the reason."""

from collections.abc import Sequence

import orjson

from schemas.content import Agent, AnyContent, Persona
from schemas.envelope import Id, JsonObject
from schemas.pipeline import Pipeline
from schemas.storable import MAX_DEPTH, check_storable
from server.engine.access import Identity
from server.engine.pack_pipelines import PackPipeline
from server.engine.playground.pipelines import may_read
from server.store import Store

MAX_DOCUMENTS = 1_000  # of a pipeline in a pack
MAX_BYTES = 1_000_000  # of all pipelines of an export, as JSON
MAX_LEVELS = 16  # of metadata
MAX_VALUES = 50_000  # of all their metadata, so that the pack stays within what one may have
PAGE = 200
GONE = "it does not exist any more, or is not yours to read"
LARGE = "with the others it has more documents or bytes than a pack should have"
UNREAD = "it has no documents, or one without text, or one that does not fit into a pack"


class ExportingPipelines:
    """Reads pipelines for packs."""

    def __init__(self, store: Store) -> None:
        self._pipelines = store.pipelines
        self._documents = store.pipeline_documents

    async def read(self, caller: Identity, asked: Sequence[Id]) -> tuple[list[PackPipeline], dict[Id, str]]:
        """Return pipelines with their documents, and why the others are left out."""
        found: list[PackPipeline] = []
        left_out: dict[Id, str] = {}
        room, values = MAX_BYTES, MAX_VALUES
        for key in asked:
            pipeline = await self._pipelines.get(key)
            if pipeline is None or not may_read(caller, pipeline):
                left_out[key] = GONE
                continue
            body = await self._body(pipeline, room=room)
            size = len(orjson.dumps(body)) if body else room + 1
            number = sum(_values(document) for document in body["documents"]) if body else 0
            if body is None or size > room or number > values:
                left_out[key] = LARGE
                continue
            try:
                found.append(_checked(body))
            except ValueError:
                left_out[key] = UNREAD
                continue
            room, values = room - size, values - number
        return found, left_out

    async def _body(self, pipeline: Pipeline, *, room: int) -> JsonObject | None:
        """Return a pipeline as a pack has it, None when it is too large."""
        documents: list[JsonObject] = []
        held = 0
        while page := await self._documents.listed(
            pipeline.id, skip=len(documents), limit=PAGE, most_bytes=room
        ):
            fields = {"id", "text", "metadata", "excluded_embed_metadata_keys", "excluded_llm_metadata_keys"}
            documents += [document.model_dump(include=fields) for document in page]
            held += sum(len(document.text) for document in page)
            if held > room or len(documents) > MAX_DOCUMENTS:
                return None
        return {
            "id": pipeline.id,
            "name": pipeline.name,
            "documents": documents,
            "preset": pipeline.preset_retrieval_parameters.model_dump(mode="json"),
            "transform": pipeline.transform_config.model_dump(mode="json"),
        }


def pipeline_of(content: AnyContent) -> Id | None:
    """Return the pipeline that content names, None when it names none."""
    return content.pipeline_id if isinstance(content, Persona | Agent) else None


def whole(pipeline: PackPipeline) -> JsonObject:
    """Return a pipeline's fields in a pack, also those that are null: they mean something in settings."""
    fields: JsonObject = pipeline.model_dump(mode="json", exclude={"documents", "description"})
    return fields | {"documents": [d.model_dump(exclude_defaults=True) for d in pipeline.documents]}


def _checked(body: JsonObject) -> PackPipeline:
    """Return a pipeline that packs take; raises ValueError."""
    pipeline = PackPipeline.model_validate(body)
    for document in pipeline.documents:
        check_storable(document.metadata, MAX_DEPTH - MAX_LEVELS)
    return pipeline


def _values(document: JsonObject) -> int:
    """Return a number that is at least that of the values in a document's metadata."""
    written = orjson.dumps(document["metadata"])
    return written.count(b",") + written.count(b":") + 1
