"""Scenarios are run over HTTP (evaluators §1): by text now, by voice once there is a voice transport."""

from functools import partial

from aiohttp import web

from schemas.envelope import JsonObject
from server.transports import keys
from server.transports.documents.shapes_products import Begun
from server.transports.documents.told import told
from server.transports.doors import stopping
from server.transports.http_errors import json_response
from server.transports.http_evaluator_requests import KEY, caller_of, read_fields, route


def attach(app: web.Application) -> None:
    """Add both addresses."""
    for name, as_text in (("run_scenarios", False), ("run_scenarios_text", True)):
        route(app, "POST", "scenarios", f"/{name}", partial(start, as_text=as_text))


@told({201: Begun}, body=JsonObject, headers={"Idempotency-Key": str})
async def start(request: web.Request, *, as_text: bool) -> web.Response:
    """Start a result and answer it; the same Idempotency-Key and body again get the same answer."""
    caller = await caller_of(request)
    body, key = await read_fields(request), request.headers.get(KEY)
    if request.app[keys.DRAIN].begun:
        raise stopping()
    begun = await request.app[keys.EVALUATORS].start(caller, body, as_text=as_text, idempotency_key=key)
    response = json_response(begun, status=201)
    response.headers["Location"] = f"/test_framework/v1/results/{begun['id']}/"
    return response
