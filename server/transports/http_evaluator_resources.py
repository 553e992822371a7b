"""What evaluators are made of, over HTTP: agents, scenarios, personalities, metrics and test profiles."""

from aiohttp import web

from schemas.envelope import JsonObject
from schemas.evaluator import RESOURCES, ResourceKind
from server.transports import keys
from server.transports.documents.query import Counting, PageLimit
from server.transports.documents.shapes_products import RESOURCE, RESOURCE_WRITTEN
from server.transports.documents.told import Numbered, told
from server.transports.http_errors import json_response
from server.transports.http_evaluator_requests import (
    caller_of,
    id_of,
    number_of_query,
    page_of,
    paged,
    read_fields,
    route,
)


def attach(app: web.Application) -> None:
    """Add the addresses of every kind."""
    for kind in RESOURCES:
        resource = HttpResource(app, kind)
        route(app, "GET", kind, "", resource.list)
        route(app, "POST", kind, "", resource.create)
        route(app, "GET", kind, "/{id:[0-9]+}", resource.get)
        route(app, "PUT", kind, "/{id:[0-9]+}", resource.put)
        route(app, "PATCH", kind, "/{id:[0-9]+}", resource.patch)
        route(app, "DELETE", kind, "/{id:[0-9]+}", resource.delete)


class HttpResource:
    """Handlers of one kind."""

    def __init__(self, app: web.Application, kind: ResourceKind) -> None:
        self._resources = app[keys.EVALUATOR_RESOURCES]
        self._kind = kind

    @told(Numbered(RESOURCE), query={"page": Counting, "page_size": PageLimit, "agent_id": Counting})
    async def list(self, request: web.Request) -> web.Response:
        """Answer a page, newest first; scenarios of one agent with `?agent_id=`."""
        caller = await caller_of(request)
        agent = number_of_query(request, "agent_id") if self._kind == "scenarios" else None
        page, size = page_of(request)
        count, found = await self._resources.page(caller, self._kind, agent=agent, page=page, page_size=size)
        return json_response(paged(request, count, found))

    @told(RESOURCE)
    async def get(self, request: web.Request) -> web.Response:
        """Answer one resource."""
        return json_response(await self._resources.get(await caller_of(request), self._kind, id_of(request)))

    @told({201: RESOURCE}, body=RESOURCE_WRITTEN)
    async def create(self, request: web.Request) -> web.Response:
        """Store a new resource and answer it."""
        caller = await caller_of(request)
        created = await self._resources.create(caller, self._kind, await read_fields(request))
        response = json_response(created, status=201)
        response.headers["Location"] = f"/test_framework/v1/{self._kind}/{created['id']}/"
        return response

    @told(RESOURCE, body=RESOURCE_WRITTEN)
    async def put(self, request: web.Request) -> web.Response:
        """Replace a resource and answer it."""
        return await self._changed(request, whole=True)

    @told(RESOURCE, body=JsonObject)
    async def patch(self, request: web.Request) -> web.Response:
        """Change the fields of a resource that are given, and answer it."""
        return await self._changed(request, whole=False)

    @told({204: None})
    async def delete(self, request: web.Request) -> web.Response:
        """Remove a resource."""
        await self._resources.delete(await caller_of(request), self._kind, id_of(request))
        return web.Response(status=204)

    async def _changed(self, request: web.Request, *, whole: bool) -> web.Response:
        caller = await caller_of(request)
        number, body = id_of(request), await read_fields(request)
        return json_response(await self._resources.change(caller, self._kind, number, body=body, whole=whole))
