"""Playground sessions over HTTP: one's own session of a pipeline, its settings, and its end."""

from aiohttp import web

from schemas.playground import SessionPatch, SessionView
from server.transports import http_playground_chat, keys
from server.transports.documents.told import told
from server.transports.http_errors import json_response
from server.transports.http_pipelines_requests import caller_of, pipeline_id_of, read_model

ADDRESS = "/api/v1/pipelines/{pipeline_id:[^/]+}/playground-session"


def attach(app: web.Application) -> None:
    """Add the addresses of playground sessions and their chat."""
    sessions = HttpPlayground(app)
    app.router.add_get(ADDRESS, sessions.get)
    app.router.add_patch(ADDRESS, sessions.patch)
    app.router.add_delete(ADDRESS, sessions.forget)
    http_playground_chat.attach(app)


class HttpPlayground:
    """Handlers of sessions; a caller has one for each pipeline and sees no other."""

    def __init__(self, app: web.Application) -> None:
        self._playground = app[keys.PLAYGROUND]

    @told(SessionView)
    async def get(self, request: web.Request) -> web.Response:
        """Answer the caller's session, which is made if there is none."""
        caller = await caller_of(request)
        session = await self._playground.session(caller, pipeline_id_of(request))
        return json_response(self._playground.view(session).model_dump(mode="json"))

    @told(SessionView, body=SessionPatch)
    async def patch(self, request: web.Request) -> web.Response:
        """Change settings that are given, and answer the session."""
        caller = await caller_of(request)
        pipeline_id = pipeline_id_of(request)
        change = await read_model(request, SessionPatch)
        session = await self._playground.patch(caller, pipeline_id, change)
        return json_response(self._playground.view(session).model_dump(mode="json"))

    @told({204: None})
    async def forget(self, request: web.Request) -> web.Response:
        """Remove the session with all that was said in it; nothing is left to remove the second time."""
        caller = await caller_of(request)
        await self._playground.forget(caller, pipeline_id_of(request))
        return web.Response(status=204)
