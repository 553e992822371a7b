"""Pipelines: who may read and change them, and their life from the first write to their removal."""

from collections.abc import Awaitable, Callable

import structlog

from schemas.envelope import Id, JsonObject, Problem, utc_now
from schemas.pipeline import (
    MAX_PIPELINES,
    MAX_PRESET,
    EmbeddingConfig,
    Pipeline,
    PipelineType,
    PipelineUpdate,
    PipelineWrite,
    TransformConfig,
)
from schemas.retrieval import RetrievalParams
from schemas.stored import Owner
from server.engine.access import Identity
from server.engine.ids import new
from server.engine.playground.views import pipeline_status
from server.errors import BadRequest, Conflict, Forbidden, NotFound
from server.store import Store

log = structlog.get_logger(__name__)
OFFLINE_ALPHA = 0.25  # measured best for the embedder in the package
ERRORS = 20  # that a status names
TRIES = 5  # of putting a pipeline that others create and delete
Wake = Callable[[Id], Awaitable[None]]


class Pipelines:
    """Pipelines are their owner's; shared ones are read by everybody in the organisation."""

    def __init__(self, store: Store, *, offline: bool, wake: Wake) -> None:
        """`offline` tells of the embedder, `wake` has a pipeline's documents looked at for indexing."""
        self._store = store
        self._offline = offline
        self._wake = wake

    # --- access ---------------------------------------------------------------------------------------------

    async def readable(self, caller: Identity, pipeline_id: Id) -> Pipeline:
        """Return a pipeline that is the caller's own, or shared in its organisation; raises NotFound."""
        pipeline = await self._store.pipelines.get(pipeline_id)
        if pipeline is None or not may_read(caller, pipeline):
            raise missing()
        return pipeline

    async def writable(self, caller: Identity, pipeline_id: Id) -> Pipeline:
        """Return a pipeline that the caller may change; raises NotFound, Forbidden for one it may read."""
        pipeline = await self.readable(caller, pipeline_id)
        if not caller.is_owner(pipeline.owner, pipeline.org):
            raise Forbidden("This pipeline is somebody else's: you may search it, not change it.")
        check_may_write(caller)
        return pipeline

    # --- for clients ----------------------------------------------------------------------------------------

    async def create(self, caller: Identity, write: PipelineWrite) -> Pipeline:
        """Store a new pipeline and return it; raises Conflict when the caller has one of this name."""
        check_may_write(caller)
        await self._check_number(caller)
        pipeline = self._made(caller, write)
        if not await self._store.pipelines.create(pipeline):
            raise Conflict("You have a pipeline of this name already; PUT replaces its settings.")
        return pipeline

    async def upsert(self, caller: Identity, write: PipelineWrite) -> Pipeline:
        """Create the caller's pipeline of this name, or change what is given of it, and return it."""
        check_may_write(caller)
        for _ in range(TRIES):
            seen = await self._store.pipelines.named(write.name, owner=owner_of(caller), org=caller.org)
            if seen is None:
                await self._check_number(caller)
                made = self._made(caller, write)
                if await self._store.pipelines.create(made):
                    return made
            elif changed := await self._changed(seen, write):
                return changed
        raise Conflict("The pipeline is being created and deleted by others just now; try again.")

    async def update(self, caller: Identity, pipeline_id: Id, change: PipelineUpdate) -> Pipeline:
        """Change what is given of a pipeline and return it; raises Conflict for a name that is taken."""
        changed = await self._changed(await self.writable(caller, pipeline_id), change)
        if changed is None:
            raise missing()
        return changed

    async def list(
        self,
        caller: Identity,
        *,
        name: str | None = None,
        pipeline_type: PipelineType | None = None,
        skip: int = 0,
        limit: int,
    ) -> list[Pipeline]:
        """Return pipelines that the caller may read, oldest first."""
        return await self._store.pipelines.listed(
            owner=owner_of(caller),
            org=caller.org,
            name=name,
            pipeline_type=pipeline_type,
            skip=skip,
            limit=limit,
        )

    async def delete(self, caller: Identity, pipeline_id: Id, *, force: bool = False) -> None:
        """Remove a pipeline with all that is in it; what is left of it is removed by the keeper.

        Raises Conflict while personas or agents name it; with `force` they are left without their documents.
        """
        pipeline = await self.writable(caller, pipeline_id)
        if not force:
            await self._check_unused(pipeline)
        if not await self._store.pipelines.delete(pipeline.id):
            raise missing()
        log.info("pipeline deleted", pipeline_id=pipeline.id, org=pipeline.org)

    async def status(self, caller: Identity, pipeline_id: Id) -> JsonObject:
        """Return how far the indexing of a pipeline's documents is."""
        pipeline = await self.readable(caller, pipeline_id)
        states = await self._store.pipeline_documents.states(pipeline.id)
        failed = (
            await self._store.pipeline_documents.failed(pipeline.id, limit=ERRORS) if states["failed"] else []
        )
        return pipeline_status(pipeline, states, failed)

    # --- parts ----------------------------------------------------------------------------------------------

    def _made(self, caller: Identity, write: PipelineWrite) -> Pipeline:
        now = utc_now()
        return Pipeline(
            id=new(),
            org=caller.org,
            owner=owner_of(caller),
            name=write.name,
            embedding_config=write.embedding_config or EmbeddingConfig(),
            transform_config=write.transform_config or TransformConfig(),
            preset_retrieval_parameters=self._preset(write.preset_retrieval_parameters or RetrievalParams()),
            pipeline_type=write.pipeline_type,
            shared=write.shared,
            created_at=now,
            updated_at=now,
        )

    def _preset(self, given: RetrievalParams) -> RetrievalParams:
        """Return a preset as it is stored; raises BadRequest for one that is too large."""
        if len(given.model_dump_json()) > MAX_PRESET:
            where: list[str | int] = ["body", "preset_retrieval_parameters"]
            problem = Problem(loc=where, msg=f"this should have at most {MAX_PRESET} bytes", type="too_long")
            raise BadRequest("The preset is too large.", details=[problem])
        if self._offline and "alpha" not in given.model_fields_set:
            return given.model_copy(update={"alpha": OFFLINE_ALPHA})
        return given

    async def _changed(self, seen: Pipeline, change: PipelineWrite | PipelineUpdate) -> Pipeline | None:
        """Change what is given, and return the pipeline; None when there is none any more."""
        preset = change.preset_retrieval_parameters
        fields = change.model_dump(
            include=change.model_fields_set, exclude={"preset_retrieval_parameters"}, exclude_none=True
        )
        stored = None if preset is None else self._preset(preset)
        changed = await self._store.pipelines.change(seen.id, fields, preset=stored)
        if changed is not None and changed.transform_version != seen.transform_version:
            await self._wake(seen.id)
        return changed

    async def _check_unused(self, pipeline: Pipeline) -> None:
        users = await self._store.content.naming("pipeline", pipeline.id, org=pipeline.org)
        if users:
            names = ", ".join(f"{user.kind} “{user.name}”" for user in users)
            raise Conflict(
                f"The pipeline is still used by {names}; change or delete that first, "
                "or delete the pipeline with ?force=true."
            )

    async def _check_number(self, caller: Identity) -> None:
        if await self._store.pipelines.count(owner=owner_of(caller), org=caller.org) >= MAX_PIPELINES:
            raise Conflict(f"You have {MAX_PIPELINES} pipelines and can have no more; delete some.")


def owner_of(caller: Identity) -> Owner:
    """Return a caller as the owner of something."""
    return Owner(kind=caller.kind, id=caller.id)


def may_read(caller: Identity, pipeline: Pipeline) -> bool:
    """Tell whether a pipeline is the caller's own, or shared in its organisation."""
    is_shared = pipeline.shared and pipeline.org == caller.org
    return is_shared or caller.is_owner(pipeline.owner, pipeline.org)


def check_may_write(caller: Identity) -> None:
    """Raise Forbidden for everybody but authors and admins."""
    if not caller.is_author:
        raise Forbidden("Only authors and admins may create and change pipelines.")


def missing() -> NotFound:
    """Return the refusal of what is not there, or somebody else's."""
    return NotFound("There is no such pipeline, or it is not yours.")
