"""Turns what HTTP handlers return and raise into JSON answers."""

import math
from collections.abc import Awaitable, Callable

import orjson
import structlog
from aiohttp import ClientConnectionResetError, web

from server.errors import BadRequest, GreenroomError, Internal, NotFound, TooLarge

log = structlog.get_logger(__name__)
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def middleware(request: web.Request, handler: Handle) -> web.StreamResponse:
    """Answer every failure as {"success": false, "error": …}."""
    try:
        return await handler(request)
    except GreenroomError as error:
        return failure(error)
    except web.HTTPRequestEntityTooLarge:
        return failure(TooLarge())
    except web.HTTPNotFound:
        return failure(NotFound("There is nothing at this address."))
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        refused = failure(BadRequest(f"{error.method} is not possible here, but {allowed}."))
        refused.set_status(405)
        refused.headers["Allow"] = allowed
        return refused
    except web.HTTPException:
        raise  # an answer
    except ClientConnectionResetError:
        return web.Response(status=499)  # nobody is left to answer
    except Exception:  # a bug of ours: the client gets an answer, the operator the traceback
        log.exception("request broke", method=request.method, resource=_resource(request))
        return failure(Internal())


def failure(error: GreenroomError) -> web.Response:
    """Return an error as it is answered over HTTP."""
    body = {"success": False, "error": error.failure().model_dump(exclude_none=True)}
    headers = {"Retry-After": str(math.ceil(error.retry_after))} if error.retry_after else None
    return web.Response(
        body=orjson.dumps(body), status=error.status, content_type="application/json", headers=headers
    )


def json_response(body: object, *, status: int = 200) -> web.Response:
    """Return JSON; times must be strings already."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _resource(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "?"
