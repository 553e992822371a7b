"""Pipelines of content packs as `load` stores them.

A pack's pipeline is shared in its organisation and belongs to nobody in it: only loading the pack changes it.
"""

from schemas.envelope import Id, utc_now
from schemas.pipeline import DocumentWrite, Pipeline, PipelineDocument
from schemas.stored import Owner
from server.engine.ids import derive, new
from server.engine.pack_pipelines import PackPipeline
from server.engine.playground.pipelines import OFFLINE_ALPHA
from server.errors import Conflict
from server.store import Store

PAGE = 200
PAGE_BYTES = 16 * 1024 * 1024
GIVEN = {"text", "metadata", "excluded_embed_metadata_keys", "excluded_llm_metadata_keys"}
Documents = dict[str, PipelineDocument]


async def is_stored(pipeline_id: Id, *, store: Store, org: str) -> bool:
    """Tell whether content of an organisation may name a pipeline that some pack has."""
    found = await store.pipelines.get(pipeline_id)
    return found is not None and found.org == org and found.shared


async def is_taken(pipeline: PackPipeline, *, store: Store, org: str) -> bool:
    """Tell whether the id of a pack's pipeline is that of somebody's, who has something else in it.

    A pack that was exported holds a person's pipeline; while that is as it was, loading leaves it alone.
    """
    found = await store.pipelines.get(pipeline.id)
    if found is None or (found.org, found.owner) == (org, _owner(pipeline.id)):
        return False
    return found.org != org or not await _is_same(found, pipeline, store, org=org)


async def store_pipeline(pipeline: PackPipeline, *, store: Store, org: str, offline: bool) -> bool:
    """Store a pipeline with its documents, and leave out what is not in the pack any more.

    Tells whether anything is new or different; that is indexed by whoever runs the jobs. `offline` tells of
    the embedder. Repeating it is harmless; raises Conflict when somebody else loads the pack at this moment.
    """
    wanted = _made(pipeline, org=org, offline=offline)
    seen = await store.pipelines.get(pipeline.id)
    if seen is not None and seen.owner != wanted.owner:
        return False  # a person's, with the same in it
    if seen is None:
        is_new = await store.pipelines.create(wanted)
    else:
        is_new = await _changed(seen, wanted, store)
    if not is_new and seen is None:
        raise Conflict(f"The pipeline {pipeline.name} cannot be stored now; load the pack again.")
    return await _store_documents(pipeline, store, org=org) or is_new


async def _changed(seen: Pipeline, wanted: Pipeline, store: Store) -> bool:
    if _is_set_alike(seen, wanted):
        return False
    fields = {"name": wanted.name, "transform_config": wanted.transform_config.model_dump()}
    changed = await store.pipelines.change(seen.id, fields, preset=wanted.preset_retrieval_parameters)
    if changed is None:
        raise Conflict(f"The pipeline {wanted.name} is being deleted just now; load the pack again.")
    return True


async def _store_documents(pipeline: PackPipeline, store: Store, *, org: str) -> bool:
    documents = store.pipeline_documents
    wanted, kept = _wanted(pipeline, org=org), await _kept(pipeline.id, store)
    await documents.put(list(wanted.values()))
    for document_id in kept.keys() - wanted.keys():
        await documents.delete(pipeline.id, document_id)
    return not _hold_alike(kept, wanted)


async def _is_same(seen: Pipeline, pipeline: PackPipeline, store: Store, *, org: str) -> bool:
    if not _is_set_alike(seen, _made(pipeline, org=org, offline=False)):
        return False
    if await store.pipeline_documents.count(seen.id) != len(pipeline.documents):
        return False
    return _hold_alike(await _kept(seen.id, store), _wanted(pipeline, org=org))


def _is_set_alike(one: Pipeline, other: Pipeline) -> bool:
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("name", "transform_config", "preset_retrieval_parameters")
    )


def _hold_alike(kept: Documents, wanted: Documents) -> bool:
    return kept.keys() == wanted.keys() and all(
        kept[key].model_dump(include=GIVEN) == document.model_dump(include=GIVEN)
        for key, document in wanted.items()
    )


def _wanted(pipeline: PackPipeline, *, org: str) -> Documents:
    return {document.id: _document(pipeline, document.write(), org=org) for document in pipeline.documents}


async def _kept(pipeline_id: Id, store: Store) -> Documents:
    kept: Documents = {}
    while page := await store.pipeline_documents.listed(
        pipeline_id, skip=len(kept), limit=PAGE, most_bytes=PAGE_BYTES
    ):
        kept.update((document.id, document) for document in page)
    return kept


def _made(pipeline: PackPipeline, *, org: str, offline: bool) -> Pipeline:
    preset, now = pipeline.preset, utc_now()
    if offline and "alpha" not in preset.model_fields_set:
        preset = preset.model_copy(update={"alpha": OFFLINE_ALPHA})
    return Pipeline(
        id=pipeline.id,
        org=org,
        owner=_owner(pipeline.id),
        name=pipeline.name,
        transform_config=pipeline.transform,
        preset_retrieval_parameters=preset,
        shared=True,
        created_at=now,
        updated_at=now,
    )


def _owner(pipeline_id: Id) -> Owner:
    return Owner(kind="profile", id=derive("owner of a pack's pipeline", pipeline_id))


def _document(pipeline: PackPipeline, write: DocumentWrite, *, org: str) -> PipelineDocument:
    now = utc_now()
    return PipelineDocument(
        key=new(),
        id=write.id or "",
        pipeline_id=pipeline.id,
        org=org,
        text=write.text,
        metadata=write.metadata,
        excluded_embed_metadata_keys=write.excluded_embed_metadata_keys,
        excluded_llm_metadata_keys=write.excluded_llm_metadata_keys,
        created_at=now,
        updated_at=now,
    )
