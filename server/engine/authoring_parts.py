"""The parts inside content – standards, questions, options, media, runs – and their ids."""

from collections.abc import Iterator
from typing import Any

from schemas.content import Content, ContentKind
from schemas.envelope import Id
from server.engine.ids import new

Place = list[str | int]
# Which fields of content hold parts, and which fields of those do.
PARTS: dict[ContentKind, dict[str, tuple[str, ...]]] = {
    "parameter": {"fields": ()},
    "persona": {"parameter_fields": ()},
    "rubric": {"groups": ("standards",)},
    "document": {"images": ()},
    "scenario": {"images": (), "videos": (), "questions": ("options",), "parameter_fields": ()},
    "benchmark": {"runs": ()},
}
REFERENCES = ("video_id",)  # fields of parts that hold the id of another part
RECORDED = ("messages", "tools", "metadata")  # fields whose ids are somebody else's: they stay as they are


def with_ids(kind: ContentKind, fields: dict[str, Any], *, key: Id | None) -> dict[str, Any]:
    """Return fields with an id for each part that has none; whatever is wrong is left as it is.

    The content gets the id of its address unless it names one; without an address it gets a new one.
    """
    filled = {**fields, "id": new()} if key is None else {"id": key, **fields}
    for name, inner in PARTS.get(kind, {}).items():
        if name in filled:
            filled[name] = _filled(filled[name], inner)
    return filled


def _filled(parts: Any, inner: tuple[str, ...]) -> Any:
    if not isinstance(parts, list):
        return parts
    return [_part(part, inner) if isinstance(part, dict) else part for part in parts]


def _part(part: dict[str, Any], inner: tuple[str, ...]) -> dict[str, Any]:
    nested = {name: _filled(part[name], ()) for name in inner if name in part}
    return {"id": new(), **part, **nested}


def with_new_ids(body: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of stored content in which it and all its parts have new ids."""
    renamed = {key: new() for key in _ids(body)}

    def copy(value: Any, name: str = "") -> Any:
        if name in RECORDED:
            return value
        if name in ("id", *REFERENCES):
            return renamed.get(value, value)
        if isinstance(value, list):
            return [copy(item) for item in value]
        return {key: copy(item, key) for key, item in value.items()} if isinstance(value, dict) else value

    copied: dict[str, Any] = copy(body)
    return copied


def _ids(value: Any) -> Iterator[Id]:
    if isinstance(value, list):
        for item in value:
            yield from _ids(item)
    elif isinstance(value, dict):
        if "id" in value:
            yield value["id"]
        for name, item in value.items():
            if name not in RECORDED:
                yield from _ids(item)


def repeated_ids(content: Content) -> list[Place]:
    """Return the places of ids that another part of the content has already."""
    seen: set[Id] = set()
    repeated = []
    for place, key in _places(content.model_dump(), []):
        if key in seen:
            repeated.append(place)
        seen.add(key)
    return repeated


def _places(value: Any, place: Place) -> Iterator[tuple[Place, Id]]:
    if isinstance(value, dict):
        if "id" in value:
            yield [*place, "id"], value["id"]
        for name, item in value.items():
            if name not in RECORDED:
                yield from _places(item, [*place, name])
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, [*place, index])
