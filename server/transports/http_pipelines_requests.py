"""What requests below /api/v1/pipelines carry: who asks, ids, queries and bodies; what is wrong is 422."""

from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError

from schemas.envelope import MAX_CLIENT_EVENT_ID, Id, Problem
from server.dispatch import check_values
from server.engine.access import Identity
from server.errors import BadRequest, Forbidden, Unauthenticated
from server.transports import keys
from server.transports.http_pipelines_errors import Invalid, invalid
from server.transports.http_query import uuid_of
from server.transports.http_requests import authenticated, bearer_of, read_body
from server.transports.socketio.origins import Origins

COOKIE = "session"
KEY = "Idempotency-Key"
READING = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_PROBLEMS = 100
M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


async def caller_of(request: web.Request) -> Identity:
    """Return who asks: a bearer token, an API key, a guest's id, or the cookie `session` with a token.

    Raises Unauthenticated without any of them, RateLimited, and Forbidden for a change with the cookie that
    another site's page has made its visitor send.
    """
    token, api_key = bearer_of(request), request.headers.get("X-API-Key")
    guest_id = request.headers.get("X-Guest-Id")
    if token is None and api_key is None:
        token = request.cookies.get(COOKIE)
        if token is not None:
            _check_origin(request)
    if not (token or api_key or guest_id):
        raise Unauthenticated("A token is needed: Authorization: Bearer, or the cookie `session`.")
    return await authenticated(request, token=token, api_key=api_key, guest_id=guest_id)


def pipeline_id_of(request: web.Request) -> Id:
    """Return the pipeline's id in an address; raises Invalid for what is no UUID."""
    found = uuid_of(request.match_info["pipeline_id"])
    if found is None:
        raise invalid("path", "pipeline_id", message="Input should be a valid UUID", kind="uuid_parsing")
    return found


def key_of(request: web.Request) -> str | None:
    """Return what makes a request the same one again, None without it; raises Invalid."""
    key = request.headers.get(KEY)
    if key is not None and not (key.strip() and key.isascii() and len(key) <= MAX_CLIENT_EVENT_ID):
        message = f"a key has 1 to {MAX_CLIENT_EVENT_ID} characters of ASCII"
        raise invalid("header", KEY, message=message)
    return key


async def read_model(request: web.Request, model: type[M]) -> M:
    """Return the request's body as a model; raises Invalid naming every field that is wrong."""
    return parsed(request, await read_body(request), TypeAdapter(model))


def parsed(request: web.Request, body: bytes, wanted: TypeAdapter[T]) -> T:
    """Return JSON as what is wanted; raises Invalid naming every field that is wrong."""
    return checked(read_value(request, body), wanted)


def read_value(request: web.Request, body: bytes) -> Any:
    """Return what JSON says; raises Invalid for what is none, or cannot be kept."""
    try:
        value = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise invalid("body", message="JSON decode error", kind="json_invalid") from error
    try:
        check_values(value, request.app[keys.SETTINGS].max_json_depth)
    except BadRequest as error:
        raise invalid("body", message=error.message) from error
    return value


def checked(value: Any, wanted: TypeAdapter[T]) -> T:
    """Return a value as what is wanted; raises Invalid naming every field that is wrong."""
    try:
        return wanted.validate_python(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        problems = [
            Problem(loc=["body", *one["loc"]], msg=one["msg"], type=one["type"])
            for one in found[:MAX_PROBLEMS]
        ]
        raise Invalid("The body is not as it should be.", details=problems) from error


def _check_origin(request: web.Request) -> None:
    """Raise Forbidden for a change that a page of another site asks for with a visitor's cookie."""
    if request.method in READING:
        return
    origins = Origins(request.app[keys.SETTINGS].cors_origins, request.app[keys.ADDRESSES])
    if not origins.allow(request):
        raise Forbidden("Pages of this origin may not act with the cookie; send a token instead.")
