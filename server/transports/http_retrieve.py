"""Retrieval over HTTP: what a pipeline has to a query."""

from aiohttp import web
from pydantic import TypeAdapter

from schemas.retrieval import Retrieved, RetrieveRequest
from server.engine.playground.retrieval.nodes import retrieved
from server.engine.playground.retrieval.retrieval import with_preset
from server.transports import keys
from server.transports.documents.told import told
from server.transports.http_pipelines_errors import PREFIX
from server.transports.http_pipelines_requests import caller_of, checked, pipeline_id_of, read_value
from server.transports.http_requests import read_body

WANTED = TypeAdapter(RetrieveRequest)


def attach(app: web.Application) -> None:
    """Add the address of retrieval."""
    app.router.add_post(f"{PREFIX}/{{pipeline_id}}/retrieve", HttpRetrieve(app).retrieve)


class HttpRetrieve:
    """Handler of retrieval."""

    def __init__(self, app: web.Application) -> None:
        self._pipelines = app[keys.PIPELINES]
        self._retrieval = app[keys.RETRIEVAL]

    @told(Retrieved, body=RetrieveRequest)
    async def retrieve(self, request: web.Request) -> web.Response:
        """Answer the passages that fit best; settings that are left out, or null, are those of the preset."""
        caller, pipeline_id = await caller_of(request), pipeline_id_of(request)
        body = read_value(request, await read_body(request))
        if isinstance(body, dict):
            body = {name: value for name, value in body.items() if value is not None}
        asked = checked(body, WANTED)
        pipeline = await self._pipelines.readable(caller, pipeline_id)
        params = with_preset(asked, pipeline.preset_retrieval_parameters)
        found = await self._retrieval.retrieve(pipeline, asked.query, params)
        answer = retrieved(pipeline.id, found, images=params.retrieve_image_nodes)
        return web.Response(body=answer.model_dump_json().encode(), content_type="application/json")
