"""Reads ids and query parameters of requests; whatever is wrong is BadRequest, a bad id is NotFound."""

from collections.abc import Mapping
from typing import TypeVar
from uuid import UUID

from aiohttp import web

from schemas.envelope import Id
from server.engine.attempts.reading import Wanted
from server.errors import BadRequest, NotFound

T = TypeVar("T")
DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_DIGITS = 16  # of numbers that JavaScript can hold
FLAGS: Mapping[str, bool] = {"1": True, "true": True, "0": False, "false": False, "": False}


def wanted_of(request: web.Request) -> Wanted:
    """Return the page of a list that a request asks for."""
    return Wanted(
        limit=limit_of(request),
        cursor=request.query.get("cursor") or None,
        profile_id=id_of_query(request, "profile_id"),
        attempt_id=id_of_query(request, "attempt_id"),
        chat_id=id_of_query(request, "chat_id"),
    )


def limit_of(request: web.Request) -> int:
    """Return `?limit=`, 50 without one."""
    limit = number_of(request, "limit")
    if limit is None:
        return DEFAULT_LIMIT
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequest(f"limit: a number from 1 to {MAX_LIMIT} is needed.")
    return limit


def number_of(request: web.Request, name: str) -> int | None:
    """Return a whole number that is not negative, None when it is not given."""
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise BadRequest(f"{name}: a whole number, not negative, is needed.")
    return int(text)


def flag_of(request: web.Request, name: str) -> bool:
    """Return whether a flag is set."""
    flag = FLAGS.get(request.query.get(name, ""))
    if flag is None:
        raise BadRequest(f"{name}: 1 or 0 is needed.")
    return flag


def choice_of(request: web.Request, name: str, choices: Mapping[str, T]) -> T | None:
    """Return what a parameter chooses, None when it is not given."""
    text = request.query.get(name)
    if text is None:
        return None
    if text not in choices:
        raise BadRequest(f"{name}: one of {', '.join(choices)} is needed.")
    return choices[text]


def id_of(request: web.Request, name: str = "id") -> Id:
    """Return the id in an address; what is no id names nothing."""
    found = _uuid(request.match_info[name])
    if found is None:
        raise NotFound()
    return found


def id_of_query(request: web.Request, name: str) -> Id | None:
    """Return the id that a parameter names, None when it is not given; what is no id names nothing."""
    text = request.query.get(name)
    if text is None:
        return None
    found = _uuid(text)
    if found is None:
        raise NotFound(f"{name}: there is no such object, or it is not yours.")
    return found


def _uuid(text: str) -> Id | None:
    if len(text) != len(str(UUID(int=0))):
        return None
    try:
        return str(UUID(text))
    except ValueError:
        return None
