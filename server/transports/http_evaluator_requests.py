"""What requests for evaluators carry: addresses in every spelling, keys, fields and pages."""

import json
from typing import Any

import orjson
from aiohttp import web

from schemas.envelope import JsonObject
from server.dispatch import check_values
from server.engine.access import Identity
from server.engine.evaluator.invalid import Fields, Invalid
from server.engine.evaluator.reading import PAGE_SIZE
from server.engine.evaluator.resource_checks import WHOLE
from server.engine.ids import number_of
from server.errors import BadRequest, NotFound, Unauthenticated
from server.transports import keys
from server.transports.http_errors import Handle
from server.transports.http_query import FLAGS
from server.transports.http_requests import authenticated, bearer_of, read_body

KEY_HEADERS = ("X-VOCERA-API-KEY", "X-CEKURA-API-KEY", "X-API-Key")
KEY = "Idempotency-Key"
MAX_PAGE_SIZE = 200
MAX_IDS = 200  # that one request asks for


def route(app: web.Application, method: str, name: str, rest: str, handler: Handle) -> None:
    """Add an address under all its spellings: v1 and v2, with and without -external and the last slash."""
    address = f"/test_framework/{{version:v[12]}}/{{name:{name}(?:-external)?}}{rest}{{slash:/?}}"
    if method == "GET":
        app.router.add_get(address, handler)
    else:
        app.router.add_route(method, address, handler)


async def caller_of(request: web.Request) -> Identity:
    """Return whose key a request shows; nobody is a guest here. Raises Unauthenticated, RateLimited."""
    key = next((found for name in KEY_HEADERS if (found := request.headers.get(name))), None)
    credential = key if key is not None else bearer_of(request)
    if not credential:
        raise Unauthenticated(
            "Show an API key: X-VOCERA-API-KEY, X-CEKURA-API-KEY, or Authorization: Bearer."
        )
    return await authenticated(request, token=credential.strip())


async def read_fields(request: web.Request) -> JsonObject:
    """Return the fields of a request's body; raises Invalid naming those that cannot be kept."""
    body = await read_body(request)
    if not body.strip():
        return {}
    read = _parsed(body)
    if not isinstance(read, dict):
        raise Invalid({WHOLE: ["The body should be one JSON object."]})
    depth = request.app[keys.SETTINGS].max_json_depth - 1
    found: Fields = {}
    for name, value in read.items():
        try:
            check_values({name: value}, depth)
        except BadRequest as error:
            found[name if _is_text(name) else WHOLE] = [error.message]
    if found:
        raise Invalid(found)
    return read


def id_of(request: web.Request) -> int:
    """Return the number in an address; what is none of ours names nothing."""
    number = number_of(request.match_info["id"])
    if number is None:
        raise NotFound()
    return number


def number_of_query(request: web.Request, name: str) -> int | None:
    """Return the number that a parameter names, None without one; raises Invalid."""
    text = request.query.get(name)
    if not text:
        return None
    number = number_of(text)
    if number is None:
        raise Invalid({name: ["A whole number from 1 on is needed."]})
    return number


def flag_of_query(request: web.Request, name: str, *, default: bool) -> bool:
    """Return whether a flag is set, the default without one; raises Invalid."""
    text = request.query.get(name)
    if not text:
        return default
    if text not in FLAGS:
        raise Invalid({name: ["true or false is needed."]})
    return FLAGS[text]


def numbers_of_query(request: web.Request, name: str) -> list[int]:
    """Return the numbers that a parameter names, separated by commas or given several times."""
    texts = [text.strip() for value in request.query.getall(name, []) for text in value.split(",")]
    numbers = [number_of(text) for text in texts if text]
    if not numbers:
        raise Invalid({name: ["Whole numbers, separated by commas, are needed."]})
    if len(numbers) > MAX_IDS:
        raise Invalid({name: [f"At most {MAX_IDS} can be asked for at once."]})
    found = [number for number in numbers if number is not None]
    if len(found) < len(numbers):
        raise Invalid({name: ["Whole numbers from 1 on, separated by commas, are needed."]})
    return found


def page_of(request: web.Request) -> tuple[int, int]:
    """Return which page of a list a request asks for, from 1, and how long pages are; raises Invalid."""
    page = number_of_query(request, "page") or 1
    size = number_of_query(request, "page_size") or PAGE_SIZE
    if size > MAX_PAGE_SIZE:
        raise Invalid({"page_size": [f"A number from 1 to {MAX_PAGE_SIZE} is needed."]})
    return page, size


def paged(request: web.Request, count: int, results: list[JsonObject]) -> JsonObject:
    """Return a page with the addresses of its neighbours; raises NotFound behind the last one."""
    page, size = page_of(request)
    if page > 1 and (page - 1) * size >= count:
        raise NotFound("Invalid page.")
    return {
        "count": count,
        "next": _neighbour(request, page + 1) if page * size < count else None,
        "previous": _neighbour(request, page - 1) if page > 1 else None,
        "results": results,
    }


def _neighbour(request: web.Request, page: int) -> str:
    origin = request.app[keys.ADDRESSES].origin(request)
    return origin + str(request.rel_url.update_query({"page": str(page)}))


def _parsed(body: bytes) -> Any:
    """Return what JSON text says, also numbers and texts that JSON has not, so that their field is named."""
    try:
        return orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError):
        pass
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not valid JSON.") from error


def _is_text(name: str) -> bool:
    return "\0" not in name and name.encode("utf-8", "replace").decode() == name
