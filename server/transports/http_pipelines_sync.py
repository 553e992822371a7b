"""Documents that failed are indexed again: `POST /api/v1/pipelines/{pipeline_id}/sync`."""

from aiohttp import web

from schemas.pipeline import PipelineView
from server.engine.playground.views import pipeline_view
from server.transports import keys
from server.transports.documents.told import told
from server.transports.http_errors import json_response
from server.transports.http_pipelines_errors import PREFIX
from server.transports.http_pipelines_requests import caller_of, pipeline_id_of


def attach(app: web.Application) -> None:
    """Add the address."""
    app.router.add_post(f"{PREFIX}/{{pipeline_id}}/sync", sync)


@told(PipelineView)
async def sync(request: web.Request) -> web.Response:
    """Have the documents of a pipeline indexed that failed or wait, and answer the pipeline."""
    caller = await caller_of(request)
    pipeline = await request.app[keys.PIPELINES].writable(caller, pipeline_id_of(request))
    await request.app[keys.INDEXING].retry(pipeline.id)
    return json_response(pipeline_view(pipeline))
