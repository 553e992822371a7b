"""Reads ids and query parameters of requests; whatever is wrong is BadRequest, a bad id is NotFound."""

from collections.abc import Mapping
from typing import Literal, TypeVar
from uuid import UUID

from aiohttp import web

from schemas.envelope import Id, Problem
from server.engine.attempts.reading import Wanted
from server.errors import BadRequest, NotFound

T = TypeVar("T")
DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_NUMBER = 2**53 - 1  # that JavaScript can hold
FLAGS: Mapping[str, bool] = {"1": True, "true": True, "0": False, "false": False, "": False}


def wanted_of(request: web.Request, *of: Literal["profile_id", "attempt_id", "chat_id"]) -> Wanted:
    """Return the page of a list that a request asks for, and what it is limited to."""
    ids = {name: id_of_query(request, name) for name in of}
    return Wanted(limit=limit_of(request), cursor=request.query.get("cursor") or None, **ids)


def limit_of(request: web.Request) -> int:
    """Return `?limit=`, 50 without one."""
    return number_in(request, "limit", default=DEFAULT_LIMIT, least=1, most=MAX_LIMIT)


def number_of(request: web.Request, name: str, *, least: int = 0, most: int = MAX_NUMBER) -> int | None:
    """Return a whole number, None when it is not given."""
    text = request.query.get(name)
    if text is None:
        return None
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_NUMBER))
    if not (digits and least <= int(text) <= most):
        raise _refusal(name, f"a whole number from {least} to {most} is needed.", kind="int_parsing")
    return int(text)


def number_in(request: web.Request, name: str, *, default: int, least: int = 0, most: int) -> int:
    """Return a whole number, the default when it is not given."""
    found = number_of(request, name, least=least, most=most)
    return default if found is None else found


def flag_of(request: web.Request, name: str) -> bool:
    """Return whether a flag is set."""
    flag = FLAGS.get(request.query.get(name, ""))
    if flag is None:
        raise _refusal(name, "1 or 0 is needed.", kind="bool_parsing")
    return flag


def choice_of(request: web.Request, name: str, choices: Mapping[str, T]) -> T | None:
    """Return what a parameter chooses, None when it is not given."""
    text = request.query.get(name)
    if text is None:
        return None
    if text not in choices:
        raise _refusal(name, f"one of {', '.join(choices)} is needed.", kind="enum")
    return choices[text]


def id_of(request: web.Request, name: str = "id") -> Id:
    """Return the id in an address; what is no id names nothing."""
    found = uuid_of(request.match_info[name])
    if found is None:
        raise NotFound()
    return found


def id_of_query(request: web.Request, name: str) -> Id | None:
    """Return the id that a parameter names, None when it is not given; what is no id names nothing."""
    text = request.query.get(name)
    if text is None:
        return None
    found = uuid_of(text)
    if found is None:
        raise NotFound(f"{name}: there is no such object, or it is not yours.")
    return found


def uuid_of(text: str) -> Id | None:
    """Return the id that a text is, None when it is none."""
    if len(text) != len(str(UUID(int=0))):
        return None
    try:
        return str(UUID(text))
    except ValueError:
        return None


def _refusal(name: str, needed: str, *, kind: str) -> BadRequest:
    """Return the refusal of a parameter; `details` say where it stands."""
    return BadRequest(f"{name}: {needed}", details=[Problem(loc=["query", name], msg=needed, type=kind)])
