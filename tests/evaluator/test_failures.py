"""How failures are answered: below /test_framework/ as evaluators do, elsewhere as the rest does."""

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.errors import BadRequest, Internal, RateLimited
from server.transports import http_errors, http_evaluator_errors

OURS, REST = "/test_framework/v1/thing", "/api/v1/thing"


async def broken(request: web.Request) -> web.Response:
    raise ZeroDivisionError("a bug")


async def refused(request: web.Request) -> web.Response:
    raise BadRequest("Not like that.")


async def hurried(request: web.Request) -> web.Response:
    raise RateLimited(retry_after=1.5)


def failing() -> web.Application:
    """Return an application whose handlers fail, with the middleware of the server."""
    shapes = {http_evaluator_errors.PREFIX: http_evaluator_errors.failure}
    app = web.Application(middlewares=[http_errors.middleware(shapes)])
    for path in (OURS, REST):
        app.router.add_get(path, broken)
        app.router.add_post(path, refused)
        app.router.add_put(path, hurried)
    return app


@pytest.mark.parametrize(
    ("method", "status", "detail"),
    [
        ("GET", 500, Internal().message),
        ("POST", 400, "Not like that."),
        ("PUT", 429, RateLimited().message),
        ("DELETE", 405, "DELETE is not possible here, but GET, HEAD, POST, PUT."),
    ],
)
async def test_the_address_decides_how_a_failure_is_answered(method: str, status: int, detail: str) -> None:
    async with TestClient(TestServer(failing())) as client:
        ours, rest = await client.request(method, OURS), await client.request(method, REST)
        assert (ours.status, rest.status) == (status, status)
        assert orjson.loads(await ours.read()) == {"detail": detail}
        found = orjson.loads(await rest.read())
        assert (found["success"], found["error"]["message"]) == (False, detail)
        for name in ("Retry-After", "Allow"):
            assert ours.headers.get(name) == rest.headers.get(name)
