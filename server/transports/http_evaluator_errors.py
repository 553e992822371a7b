"""How failures of evaluators are answered: {"<field>": [messages]} for requests, {"detail"} for the rest."""

from aiohttp import web

from server.engine.evaluator.invalid import Fields, Invalid
from server.errors import BadRequest, GreenroomError
from server.transports.http_errors import detail_response, json_response

PREFIX = "/test_framework/"


def failure(error: GreenroomError) -> web.Response:
    """Return an error as it is answered below /test_framework/."""
    if isinstance(error, BadRequest) and (fields := _fields(error)):
        return json_response(fields, status=error.status)
    return detail_response(error)


def _fields(error: BadRequest) -> Fields:
    if isinstance(error, Invalid):
        return error.fields
    fields: Fields = {}
    for problem in error.details or []:
        name, *rest = problem.loc or ["non_field_errors"]
        where = ".".join(str(part) for part in rest)
        fields.setdefault(str(name), []).append(f"{where}: {problem.msg}" if where else problem.msg)
    return fields
