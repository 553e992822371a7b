"""Filters on metadata, as the documents that a search is limited to."""

from schemas.envelope import Id
from schemas.retrieval import MetadataFilters
from server.store import Store
from server.store.metadata_filters import to_query


async def allowed_documents(store: Store, pipeline_id: Id, filters: MetadataFilters | None) -> set[Id] | None:
    """Return the keys of a pipeline's documents that pass the filters; None when all do.

    Raises Unavailable.
    """
    query = to_query(filters)
    return await store.pipeline_documents.matching(pipeline_id, query) if query else None
