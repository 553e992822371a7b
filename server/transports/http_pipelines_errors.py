"""How failures below /api/v1/pipelines are answered: {"detail": "…"}, or a list for what was sent wrongly."""

from aiohttp import web

from schemas.envelope import Problem
from server.errors import BadRequest, GreenroomError
from server.transports.http_errors import detail_response, json_response

PREFIX = "/api/v1/pipelines"


class Invalid(BadRequest):
    """Something in the path, the query or the body is not as it should be; `details` say what and where."""

    status = 422


def invalid(*loc: str | int, message: str, kind: str = "value_error") -> Invalid:
    """Return the refusal of one thing; its place begins with path, query, header or body."""
    return Invalid(message, details=[Problem(loc=list(loc), msg=message, type=kind)])


def failure(error: GreenroomError) -> web.Response:
    """Return an error as it is answered below /api/v1/pipelines."""
    if isinstance(error, BadRequest):
        problems = error.details or [Problem(loc=["body"], msg=error.message, type="value_error")]
        return json_response({"detail": [problem.model_dump() for problem in problems]}, status=422)
    return detail_response(error)
