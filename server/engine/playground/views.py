"""What clients see of pipelines and their documents."""

from collections.abc import Mapping

from schemas.envelope import Id, JsonObject
from schemas.pipeline import (
    Chunk,
    DocumentState,
    DocumentView,
    Pipeline,
    PipelineDocument,
    PipelineStatus,
    PipelineView,
    StatusView,
)
from server.engine.ids import derive

STATUSES: dict[DocumentState, PipelineStatus] = {
    "queued": "IN_PROGRESS",
    "indexed": "SUCCESS",
    "failed": "ERROR",
}


def project_of(org: str) -> Id:
    """Return the id under which published clients know an organisation."""
    return derive("project", org)


def pipeline_view(pipeline: Pipeline) -> JsonObject:
    """Return a pipeline as clients read it."""
    view = PipelineView(
        **pipeline.model_dump(include=set(PipelineView.model_fields) - {"preset_retrieval_parameters"}),
        project_id=project_of(pipeline.org),
        preset_retrieval_parameters=pipeline.preset_retrieval_parameters.model_dump(mode="json"),
        owner_id=pipeline.owner.id,
    )
    return view.model_dump(mode="json")


def document_view(document: PipelineDocument) -> JsonObject:
    """Return a document as clients read it."""
    view = DocumentView.model_validate(document.model_dump(include=set(DocumentView.model_fields)))
    return view.model_dump(mode="json")


def document_status(document: PipelineDocument) -> JsonObject:
    """Return how far a document is."""
    status = StatusView(status=STATUSES[document.state], error=_errors([document]))
    return status.model_dump(mode="json", exclude={"documents"})


def pipeline_status(
    pipeline: Pipeline, states: Mapping[DocumentState, int], failed: list[PipelineDocument]
) -> JsonObject:
    """Return how far the documents of a pipeline are, with some of those that failed."""
    view = StatusView(
        status=status_of(states, was_used=pipeline.changes > 0),
        error=_errors(failed),
        documents={state: states.get(state, 0) for state in STATUSES},
    )
    return view.model_dump(mode="json")


def status_of(states: Mapping[DocumentState, int], *, was_used: bool) -> PipelineStatus:
    """Return what all documents together came to; clients wait while nothing was started."""
    if not any(states.values()):
        return "SUCCESS" if was_used else "NOT_STARTED"
    if states.get("queued"):
        return "IN_PROGRESS"
    if not states.get("failed"):
        return "SUCCESS"
    return "PARTIAL_SUCCESS" if states.get("indexed") else "ERROR"


def chunk_view(chunk: Chunk, document: PipelineDocument) -> JsonObject:
    """Return a chunk as the node that published clients read."""
    source = {"node_id": document.id, "node_type": "4", "metadata": {}, "class_name": "RelatedNodeInfo"}
    return {
        "id_": chunk.id,
        "embedding": None,
        "extra_info": document.metadata,
        "excluded_embed_metadata_keys": document.excluded_embed_metadata_keys,
        "excluded_llm_metadata_keys": document.excluded_llm_metadata_keys,
        "relationships": {"1": source},
        "text": chunk.text,
        "mimetype": "text/plain",
        "start_char_idx": chunk.start,
        "end_char_idx": chunk.end,
        "class_name": "TextNode",
    }


def _errors(failed: list[PipelineDocument]) -> list[JsonObject] | None:
    found: list[JsonObject] = [
        {"job_id": d.key, "step": "INGESTION", "message": d.error, "document_id": d.id}
        for d in failed
        if d.error is not None
    ]
    return found or None
