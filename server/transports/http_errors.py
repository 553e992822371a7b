"""Turns what HTTP handlers return and raise into JSON answers."""

import math
from collections.abc import Awaitable, Callable, Mapping

import orjson
import structlog
from aiohttp import ClientConnectionResetError, web
from aiohttp.typedefs import Middleware

from server.errors import (
    BadRequest,
    GreenroomError,
    Internal,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthenticated,
)

log = structlog.get_logger(__name__)
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]
Shape = Callable[[GreenroomError], web.Response]


def middleware(shapes: Mapping[str, Shape]) -> Middleware:
    """Return what answers every failure: in the shape of the address's prefix, else as `failure` does."""

    @web.middleware
    async def answer(request: web.Request, handler: Handle) -> web.StreamResponse:
        found = (shape for prefix, shape in shapes.items() if request.path.startswith(prefix))
        return await _answered(request, handler, next(found, failure))

    return answer


async def _answered(request: web.Request, handler: Handle, shape: Shape) -> web.StreamResponse:
    try:
        return await handler(request)
    except GreenroomError as error:
        return shape(error)
    except web.HTTPRequestEntityTooLarge:
        return shape(TooLarge())
    except web.HTTPNotFound:
        return shape(NotFound("There is nothing at this address."))
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        refused = shape(BadRequest(f"{error.method} is not possible here, but {allowed}."))
        refused.set_status(405)
        refused.headers["Allow"] = allowed
        return refused
    except web.HTTPException:
        raise  # an answer
    except ClientConnectionResetError:
        return web.Response(status=499)  # nobody is left to answer
    except Exception:  # a bug of ours: the client gets an answer, the operator the traceback
        log.exception("request broke", method=request.method, resource=_resource(request))
        return shape(Internal())


def failure(error: GreenroomError) -> web.Response:
    """Return an error as it is answered over HTTP: {"success": false, "error": …}."""
    body = {"success": False, "error": error.failure().model_dump(exclude_none=True)}
    headers = {"Retry-After": str(math.ceil(error.retry_after))} if error.retry_after else None
    return web.Response(
        body=orjson.dumps(body), status=error.status, content_type="application/json", headers=headers
    )


def detail_response(error: GreenroomError) -> web.Response:
    """Return an error as clients of other services know it: {"detail": "…"}, and what headers say of it."""
    response = json_response({"detail": error.message}, status=error.status)
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after or isinstance(error, RateLimited):
        response.headers["Retry-After"] = str(math.ceil(error.retry_after or 1))
    return response


def json_response(body: object, *, status: int = 200) -> web.Response:
    """Return JSON; times must be strings already."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _resource(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "?"
