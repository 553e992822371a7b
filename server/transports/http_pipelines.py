"""Pipelines over HTTP: created, replaced by name, listed, read, changed, deleted, and how far they are."""

from typing import get_args

from aiohttp import web

from schemas.pipeline import Pipeline, PipelineType, PipelineUpdate, PipelineView, PipelineWrite, StatusView
from server.engine.playground.views import pipeline_view, project_of
from server.transports import http_pipelines_documents, http_pipelines_sync, keys
from server.transports.documents.query import Number
from server.transports.documents.told import Many, told
from server.transports.http_errors import json_response
from server.transports.http_pipelines_errors import PREFIX
from server.transports.http_pipelines_requests import caller_of, pipeline_id_of, read_model
from server.transports.http_query import choice_of, number_in

ONE = f"{PREFIX}/{{pipeline_id}}"
TYPES: dict[str, PipelineType] = {name: name for name in get_args(PipelineType)}
PAGE = 200
MAX_SKIP = 1_000_000
FLAGS = {"true": True, "false": False}


def attach(app: web.Application) -> None:
    """Add the addresses of pipelines and their documents."""
    pipelines = HttpPipelines(app)
    for address in (PREFIX, f"{PREFIX}/"):
        app.router.add_get(address, pipelines.list)
        app.router.add_post(address, pipelines.create)
        app.router.add_put(address, pipelines.upsert)
    app.router.add_get(ONE, pipelines.get)
    app.router.add_put(ONE, pipelines.update)
    app.router.add_delete(ONE, pipelines.delete)
    app.router.add_post(f"{ONE}/force-delete", pipelines.force_delete)
    app.router.add_get(f"{ONE}/status", pipelines.status)
    http_pipelines_documents.attach(app)
    http_pipelines_sync.attach(app)


class HttpPipelines:
    """Handlers of pipelines."""

    def __init__(self, app: web.Application) -> None:
        self._pipelines = app[keys.PIPELINES]

    @told(
        Many(PipelineView),
        query={
            "project_id": str,
            "pipeline_name": str,
            "pipeline_type": PipelineType,
            "skip": Number,
            "limit": Number,
        },
    )
    async def list(self, request: web.Request) -> web.Response:
        """Answer the pipelines that the caller may read, oldest first, 200 at most; `?skip=` has the next."""
        caller = await caller_of(request)
        project = request.query.get("project_id")
        if project is not None and project != project_of(caller.org):
            return json_response([])
        found = await self._pipelines.list(
            caller,
            name=request.query.get("pipeline_name"),
            pipeline_type=choice_of(request, "pipeline_type", TYPES),
            skip=number_in(request, "skip", default=0, most=MAX_SKIP),
            limit=number_in(request, "limit", default=PAGE, least=1, most=PAGE),
        )
        return json_response([pipeline_view(pipeline) for pipeline in found])

    @told({201: PipelineView}, body=PipelineWrite)
    async def create(self, request: web.Request) -> web.Response:
        """Store a new pipeline and answer it."""
        caller = await caller_of(request)
        return _created(await self._pipelines.create(caller, await read_model(request, PipelineWrite)))

    @told(PipelineView, body=PipelineWrite)
    async def upsert(self, request: web.Request) -> web.Response:
        """Create the caller's pipeline of a name, or replace its settings, and answer it."""
        caller = await caller_of(request)
        return _one(await self._pipelines.upsert(caller, await read_model(request, PipelineWrite)))

    @told(PipelineView)
    async def get(self, request: web.Request) -> web.Response:
        """Answer a pipeline."""
        caller = await caller_of(request)
        return _one(await self._pipelines.readable(caller, pipeline_id_of(request)))

    @told(PipelineView, body=PipelineUpdate)
    async def update(self, request: web.Request) -> web.Response:
        """Change what is given of a pipeline and answer it."""
        caller, pipeline_id = await caller_of(request), pipeline_id_of(request)
        change = await read_model(request, PipelineUpdate)
        return _one(await self._pipelines.update(caller, pipeline_id, change))

    @told({204: None}, query={"force": bool})
    async def delete(self, request: web.Request) -> web.Response:
        """Remove a pipeline with all that is in it; 409 while content names it, unless `?force=true`."""
        caller, pipeline_id = await caller_of(request), pipeline_id_of(request)
        force = choice_of(request, "force", FLAGS) or False
        await self._pipelines.delete(caller, pipeline_id, force=force)
        return web.Response(status=204)

    @told({204: None})
    async def force_delete(self, request: web.Request) -> web.Response:
        """Remove a pipeline with all that is in it, also while content names it."""
        caller, pipeline_id = await caller_of(request), pipeline_id_of(request)
        await self._pipelines.delete(caller, pipeline_id, force=True)
        return web.Response(status=204)

    @told(StatusView)
    async def status(self, request: web.Request) -> web.Response:
        """Answer how far the indexing of a pipeline's documents is."""
        caller = await caller_of(request)
        return json_response(await self._pipelines.status(caller, pipeline_id_of(request)))


def _one(pipeline: Pipeline) -> web.Response:
    return json_response(pipeline_view(pipeline))


def _created(pipeline: Pipeline) -> web.Response:
    response = json_response(pipeline_view(pipeline), status=201)
    response.headers["Location"] = f"{PREFIX}/{pipeline.id}"
    return response
