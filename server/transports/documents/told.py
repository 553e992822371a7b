"""What a handler's routes and docstring do not tell of it: what it reads and what it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

H = TypeVar("H", bound=Callable[..., object])
Mode = Literal["validation", "serialization"]
TOLD = "__told__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An answer that is made of a model: without some fields, with others, some of them not for everybody."""

    name: str
    model: Any
    without: tuple[str, ...] = ()
    plus: Any = None
    optional: tuple[str, ...] | None = ()  # None: all of them


@dataclass(frozen=True, slots=True)
class Each:
    """What depends on a part of the address that stands for one of several words."""

    part: str
    options: Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list, and the cursor of the next."""

    item: Any
    plus: Any = None


@dataclass(frozen=True, slots=True)
class Numbered:
    """A page of a list that is counted, with the addresses of its neighbours."""

    item: Any


@dataclass(frozen=True, slots=True)
class Many:
    """A list."""

    item: Any


@dataclass(frozen=True, slots=True)
class Written:
    """A model as clients write it: it and its parts get an id where they have none."""

    model: Any


@dataclass(frozen=True, slots=True)
class Media:
    """Anything but JSON."""

    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A body of multipart/form-data: the schema of each part, and what it is encoded as."""

    parts: Mapping[str, Mapping[str, Any]]
    required: tuple[str, ...]
    encoding: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an operation reads and answers, by status; None is an answer without a body.

    A body is one type, or a tuple of them where a client chooses.
    """

    answers: Mapping[int, Any]
    body: Any = None
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict)
    is_open: bool = False  # to everybody, without a token
    is_event: bool = False  # one operation for each event that has a handler


def told(
    answers: Mapping[int, Any] | Any,
    *,
    body: Any = None,
    query: Mapping[str, Any] | None = None,
    headers: Mapping[str, Any] | None = None,
    is_open: bool = False,
    is_event: bool = False,
) -> Callable[[H], H]:
    """Note what a handler reads and answers; what is no mapping is answered with 200."""
    by_status = answers if isinstance(answers, Mapping) else {200: answers}
    noted = Told(
        answers=by_status,
        body=body,
        query=query or {},
        headers=headers or {},
        is_open=is_open,
        is_event=is_event,
    )

    def note(handler: H) -> H:
        setattr(handler, TOLD, noted)
        return handler

    return note


def told_of(handler: Callable[..., object]) -> Told | None:
    """Return what was noted of a handler."""
    found = getattr(handler, TOLD, None)
    return found if isinstance(found, Told) else None
