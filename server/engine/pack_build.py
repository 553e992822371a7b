"""Turn the fields an author writes into bodies of content models: keys become ids, references are found."""

import re
from collections.abc import Callable
from uuid import UUID, uuid5

from schemas.envelope import Id
from server.engine.pack_pipelines import PackKind
from server.engine.pack_runs import Messages
from server.engine.pack_shapes import SHAPES, Reference, Shape
from server.engine.pack_words import closest, meant
from server.engine.pack_yaml import Flaw, Path, Tree

Known = Callable[[PackKind, Id], bool]
Fields = dict[str, object]

_NAMESPACE = UUID("6f0c1a52-7d0b-5c53-9b43-2f6f1d5f3c11")


def stable_id(pack_id: str, *names: str) -> Id:
    """Return the id that follows from a pack's id and the names on the way to an object."""
    return str(uuid5(_NAMESPACE, "/".join((pack_id, *names))))


def own_id(value: object, otherwise: Id) -> Id:
    """Return the `id` that an object gives itself when it is a UUID, else `otherwise`."""
    given = value.get("id") if isinstance(value, dict) else None
    try:
        return str(UUID(given)) if isinstance(given, str) else otherwise
    except ValueError:
        return otherwise


def explicit_key(value: object) -> object:
    """Return the `key` of a list's item, or None."""
    return value.get("key") if isinstance(value, dict) else None


class Builder:
    """Builds the bodies of one pack's content and collects flaws; `ids` holds what the pack defines."""

    def __init__(self, *, pack_id: str, tree: Tree, known: Known) -> None:
        self.pack_id = pack_id
        self.tree = tree
        self.known = known
        self.ids: dict[tuple[PackKind, str], Id] = {}
        self.flaws: list[Flaw] = []
        self.reported: set[Path] = set()
        self.origin: dict[Path, Path] = {}
        self._videos: dict[str, Id] = {}
        self._tools: dict[str, set[str]] = {}  # of each agent of the pack
        self._callable: set[str] | None = None  # by the agents of the benchmark that is built

    def flaw(self, path: Path, message: str, *, final: bool = True) -> None:
        """Report a mistake; `final` keeps pydantic from reporting the same place again."""
        self.flaws.append(Flaw(self.tree.line(path), path, message))
        if final:
            self.reported.add(path)

    def body(self, kind: PackKind, value: object, *, key: str, path: Path) -> Fields:
        """Return the fields of the model of `kind`; `origin` then leads from them to what was written."""
        self.origin = {(): path}
        shape, names = SHAPES[kind], (kind, key)
        self._videos = self._video_ids(value, names) if kind == "scenario" else {}
        self._callable = self._tools_of(value) if kind == "benchmark" else None
        body = self._fields(shape, value, path=path, loc=(), names=names)
        if kind == "agent":
            self._tools[key] = _tool_names(body.get("tools"))
        return _with_points(body) if kind == "rubric" else body

    def items(self, value: object, path: Path) -> list[tuple[str | None, object, Path]]:
        """Return (key, value, path) of a mapping's or list's items; a list's keys may be missing."""
        if value is None:
            return []
        if isinstance(value, dict):
            return [(key, item, (*path, key)) for key, item in value.items()]
        if isinstance(value, list):
            keyed = [(explicit_key(item), item, (*path, i)) for i, item in enumerate(value)]
            return [(key if isinstance(key, str) else None, item, at) for key, item, at in keyed]
        self.flaw(path, "this should be a mapping from keys to objects, or a list of objects")
        return []

    def _video_ids(self, value: object, names: tuple[str, ...]) -> dict[str, Id]:
        videos = value.get("videos") if isinstance(value, dict) else None
        pairs = (
            videos.items()
            if isinstance(videos, dict)
            else enumerate(videos)
            if isinstance(videos, list)
            else ()
        )
        found: dict[str, Id] = {}
        for place, video in pairs:
            key = place if isinstance(place, str) else str(explicit_key(video) or place + 1)
            found[key] = own_id(video, stable_id(self.pack_id, *names, "videos", key))
        return found

    def _fields(
        self, shape: Shape, value: object, *, path: Path, loc: Path, names: tuple[str, ...]
    ) -> Fields:
        self.origin[loc] = path
        if not isinstance(value, dict):
            self.flaw(
                path,
                "this should be a mapping of fields"
                + ("" if value is not None else ", there is nothing here"),
            )
            return {}
        body: Fields = {}
        if "id" in shape.model.model_fields:
            body["id"] = stable_id(self.pack_id, *names)
        allowed = shape.fields()
        for name, item in value.items():
            at = (*path, name)
            if name in shape.references:
                self._refer(shape.references[name], item, body=body, path=at, loc=loc)
            elif name in allowed:
                body[name] = self._field(shape, item, path=at, loc=(*loc, name), names=names)
            elif name != "key" or "id" not in body or isinstance(path[-1], str):
                self._unknown(shape, name, item, path=path)
        for name, reference in shape.references.items():
            self.origin.setdefault((*loc, reference.target), (*path, name))
        return body

    def _field(self, shape: Shape, value: object, *, path: Path, loc: Path, names: tuple[str, ...]) -> object:
        name = str(path[-1])
        if name in shape.parts:
            return self._parts(shape.parts[name], value, path=path, loc=loc, names=(*names, name))
        if name in shape.inner:
            return self._fields(shape.inner[name], value, path=path, loc=loc, names=names)
        return self._messages(value, path=path, loc=loc) if name == shape.conversation else value

    def _messages(self, value: object, *, path: Path, loc: Path) -> list[Fields]:
        self.origin[loc] = path
        reader = Messages(flaw=self.flaw, tools=self._callable)
        found = reader.read(value, path)
        self.origin.update(((*loc, i), place) for i, place in enumerate(reader.places))
        return found

    def _tools_of(self, benchmark: object) -> set[str] | None:
        """Return what the agents of a benchmark may call; None when one of them is not this pack's."""
        keys = benchmark.get("agents") if isinstance(benchmark, dict) else None
        if not isinstance(keys, list):
            return None
        own = [key.removeprefix(f"{self.pack_id}/") if isinstance(key, str) else "" for key in keys]
        if any(key not in self._tools for key in own):
            return None
        return {tool for key in own for tool in self._tools[key]}

    def _unknown(self, shape: Shape, name: str, value: object, *, path: Path) -> None:
        for inner, deeper in shape.inner.items():
            if name in deeper.fields():
                self.flaw((*path, name), f"`{name}` belongs under `{inner}`")
                return
        if value is None and " " in name:
            self.flaw(
                (*path, name), "inside {} a comma begins a new field: put a text with commas into quotes"
            )
            return
        near = closest(name, shape.fields())
        hint = f"did you mean `{near}`?" if near else f"the fields here are {', '.join(shape.fields())}"
        self.flaw((*path, name), f"there is no field `{name[:60]}`; {hint}")
        if near:
            self.reported.add((*path, near))

    def _parts(
        self, shape: Shape, value: object, *, path: Path, loc: Path, names: tuple[str, ...]
    ) -> list[Fields]:
        self.origin[loc] = path
        if shape.shorthand and isinstance(value, dict):
            self.flaw(path, f"this should be a list: its order is the order of the {path[-1]}")
            return []
        parts: list[Fields] = []
        seen: set[str] = set()
        for i, (key, item, at) in enumerate(self.items(value, path)):
            given = {shape.shorthand: item} if shape.shorthand and isinstance(item, str) else item
            fields = _keyed(shape, given, key)
            name = key or str(fields.get(shape.key_field or "", i + 1) if isinstance(fields, dict) else i + 1)
            if key and key in seen:
                self.flaw((*at, "key"), f"the key `{key}` is taken by an object above")
            seen.add(name)
            part = self._fields(shape, fields, path=at, loc=(*loc, i), names=(*names, name))
            if shape.shorthand:
                part.setdefault("position", i)
            parts.append(part)
        return parts

    def _refer(self, reference: Reference, value: object, *, body: Fields, path: Path, loc: Path) -> None:
        self.origin[(*loc, reference.target)] = path
        if not reference.many:
            body[reference.target] = self._find(reference, value, path)
        elif isinstance(value, list):
            body[reference.target] = [self._find(reference, item, (*path, i)) for i, item in enumerate(value)]
        else:
            self.flaw(path, f"this should be a list of keys of {reference.kind}s")

    def _find(self, reference: Reference, value: object, path: Path) -> Id:
        """Return the id of what a reference names; report a flaw when there is no such thing."""
        kind = reference.kind
        if not isinstance(value, str):
            self.flaw(path, f"this should be the key of a {kind}")
            return stable_id(self.pack_id, kind, "")
        pack, _, key = value.rpartition("/")
        if kind == "video":
            return self._find_video(value, path)
        if pack in ("", self.pack_id):
            if (kind, key) not in self.ids:
                near = meant(key, (k for of, k in self.ids if of == kind))
                self.flaw(path, f"there is no {kind} `{key[:60]}` in this pack{near}")
            return self.ids.get((kind, key), stable_id(self.pack_id, kind, key))
        found = stable_id(pack, kind, key)
        if not self.known(kind, found):
            self.flaw(
                path, f"there is no {kind} `{key[:60]}` of pack `{pack[:60]}` loaded; load that pack first"
            )
        return found

    def _find_video(self, key: str, path: Path) -> Id:
        if key not in self._videos:
            self.flaw(path, f"this scenario has no video `{key[:60]}`{meant(key, self._videos)}")
        return self._videos.get(key, stable_id(self.pack_id, "video", ""))


def _keyed(shape: Shape, value: object, key: str | None) -> object:
    """Return a part with the field that its key stands for, such as the level of a standard."""
    if shape.key_field is None or key is None or not isinstance(value, dict) or shape.key_field in value:
        return value
    is_number = shape.model.model_fields[shape.key_field].annotation is int and re.fullmatch(r"\d{1,9}", key)
    return {**value, shape.key_field: int(key) if is_number else key}


def _tool_names(tools: object) -> set[str]:
    """Return the names of an agent's tools."""
    given = tools if isinstance(tools, list) else []
    return {name for tool in given if isinstance(tool, dict) and isinstance(name := tool.get("name"), str)}


def _with_points(rubric: Fields) -> Fields:
    """Fill the points that follow: a group has those of its best standard, a rubric the sum of its groups."""
    groups = rubric.get("groups")
    groups = groups if isinstance(groups, list) else []
    for group in groups:
        standards = group.get("standards")
        points = [_points(s) for s in standards] if isinstance(standards, list) else []
        group.setdefault("points", max(points, default=0.0))
    return {"points": sum(_points(group) for group in groups), **rubric}


def _points(part: Fields) -> float:
    points = part.get("points")
    usable = isinstance(points, int | float) and not isinstance(points, bool) and 0 <= points <= 10_000
    return float(points) if usable and isinstance(points, int | float) else 0.0
