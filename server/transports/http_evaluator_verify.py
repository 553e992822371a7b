"""A connection to an agent is tried over HTTP."""

from aiohttp import web

from schemas.envelope import JsonObject
from server.engine.evaluator.lines.verifying import try_agent
from server.engine.evaluator.resources import check_may_write
from server.transports import keys
from server.transports.documents.shapes_products import Tried
from server.transports.documents.told import told
from server.transports.http_errors import json_response
from server.transports.http_evaluator_requests import caller_of, read_fields, route


def attach(app: web.Application) -> None:
    """Add the address."""
    route(app, "POST", "aiagents", "/verify-websocket", verify_websocket)


@told(Tried, body=JsonObject)
async def verify_websocket(request: web.Request) -> web.Response:
    """Answer whether an agent takes WebSocket connections, and why not."""
    caller = await caller_of(request)
    check_may_write(caller)
    body = await read_fields(request)
    resources, dialer = request.app[keys.EVALUATOR_RESOURCES], request.app[keys.DIALER]
    tried = await try_agent(resources, dialer, org=caller.org, body=body)
    return json_response({"success": tried.ok, "message": tried.reason, "duration_ms": tried.ms})
