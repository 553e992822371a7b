"""Addresses of routes as documents spell them: words instead of alternatives, names instead of patterns."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from aiohttp import web

from schemas.envelope import Id
from schemas.generation import ArtifactName
from schemas.room import RoomName

_GROUP = re.compile(r"\(\?P<(\w+)>((?:[^()]|\([^()]*\))*)\)")
_WORDS = re.compile(r"[\w.\\-]+(\|[\w.\\-]+)+")
_DIGITS = re.compile(r"(\w)\[(\d+)\]")
_PREFIX = re.compile(r"[\w/]*")
EXTERNAL = "(?:-external)?"
TYPES: dict[str, Any] = {
    "id": Id,
    "pipeline_id": Id,
    "session": Id,
    "artifact": ArtifactName,
    "room": RoomName,
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A part of an address that is not fixed: its name, and its type or schema."""

    name: str
    type: Any = None
    schema: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """An address as documents spell it, with the words that were put in the place of parts."""

    address: str
    parameters: tuple[Parameter, ...] = ()
    words: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    parameter: Parameter | None = None
    word: tuple[str, str] | None = None


def paths_of(resource: web.AbstractResource) -> Iterator[Path]:
    """Yield the addresses of a resource; alternatives become several."""
    info = resource.get_info()
    pattern = info.get("pattern")
    if pattern is None:
        yield Path(str(info.get("path", info.get("prefix"))))
        return
    for pieces in product(*_pieces(pattern.pattern)):
        yield Path(
            "".join(piece.text for piece in pieces),
            tuple(piece.parameter for piece in pieces if piece.parameter is not None),
            dict(piece.word for piece in pieces if piece.word is not None),
        )


def _pieces(pattern: str) -> Iterator[list[_Piece]]:
    end = 0
    for match in _GROUP.finditer(pattern):
        yield [_Piece(_plain(pattern[end : match.start()]))]
        yield _options(match[1], match[2])
        end = match.end()
    yield [_Piece(_plain(pattern[end:]))]


def _options(name: str, pattern: str) -> list[_Piece]:
    if pattern == "/?":
        return [_Piece("/")]
    if pattern.endswith(EXTERNAL):
        pattern = pattern.removesuffix(EXTERNAL)
        return [_Piece(_plain(pattern), word=(name, _plain(pattern)))]
    if _WORDS.fullmatch(pattern):
        return [_Piece(_plain(word), word=(name, _plain(word))) for word in pattern.split("|")]
    if digits := _DIGITS.fullmatch(pattern):
        schema = {"type": "string", "enum": [digits[1] + digit for digit in digits[2]]}
        return [_Piece(f"{{{name}}}", Parameter(name, schema=schema))]
    return [_open(name, pattern)]


def _open(name: str, pattern: str) -> _Piece:
    """Return a part that may be anything of a kind."""
    if pattern == "[0-9]+":
        return _Piece(f"{{{name}}}", Parameter(name, schema={"type": "integer", "minimum": 1}))
    if pattern.startswith("[^"):
        return _Piece(f"{{{name}}}", Parameter(name, TYPES.get(name, str)))
    found = _PREFIX.match(pattern)
    prefix = found[0] if found else ""
    schema = {"type": "string", "pattern": f"^{pattern.removeprefix(prefix)}$"}
    return _Piece(f"{prefix}{{{name}}}", Parameter(name, schema=schema))


def _plain(pattern: str) -> str:
    return pattern.replace("\\", "")
