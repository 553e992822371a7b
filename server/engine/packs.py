"""Content packs: authored content in one YAML file, for people to write.

A pack begins with `pack: {id, name, description}`; then come `pipelines`, `personas`, `rubrics`, `documents`,
`agents`, `scenarios`, `practices`, `homes` and `benchmarks`, each a mapping from a key to the fields of
schemas.content or pack_pipelines (or a list of objects with a `key`). Objects name each other by key
(`persona: maya`), or by `other-pack/key` when that pack is loaded. Parts of an object (`groups`, `standards`,
`questions`, `options`, `images`, `videos`, `tools`, `runs`) are mappings too, or lists; pack_runs says how
messages are written. The points of a rubric and of its groups may be left out, and the scenarios of a
practice are practised in the order written. No `id` is needed: it follows from the pack's id and the keys, so
loading a changed pack updates what the last load made. In a list without keys a standard is known by its
level, a tool or a run by its name, anything else by its place.
"""

from dataclasses import dataclass, field

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schemas.content import AnyContent, ContentKind
from schemas.envelope import Id, Problem
from server.engine.authoring_parts import repeated_ids
from server.engine.pack_build import Builder, Fields, Known, own_id, stable_id
from server.engine.pack_pipelines import PACK_KINDS, PACK_MODELS, PackContent, PackKind, PackPipeline
from server.engine.pack_words import is_key, meant
from server.engine.pack_yaml import Flaw, Path, Tree, read_tree
from server.errors import BadRequest

_SECTIONS: dict[str, PackKind] = {f"{kind}s": kind for kind in PACK_KINDS}
_HEADER = ("id", "name", "description")
_KEY_RULE = "use lower-case letters, digits and hyphens, at most 64"


class PackProblem(BaseModel):
    """One mistake in a pack; lines count from 1, a path looks like `scenarios.lost-student.rubric`."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}: {place}{self.message}"


class PackError(BadRequest):
    """The content pack has mistakes."""

    def __init__(self, problems: list[PackProblem]) -> None:
        self.problems = problems
        super().__init__(
            "\n".join(str(problem) for problem in problems),
            details=[Problem(loc=[p.file, p.line, p.path], msg=p.message, type="pack") for p in problems],
        )


class Pack(BaseModel):
    """The content of a pack, ready to be stored in this order: nothing names what comes after it.

    Content may name the pipelines, which come first.
    """

    id: str
    name: str
    description: str
    pipelines: list[PackPipeline] = []
    contents: list[tuple[ContentKind, AnyContent]]

    @property
    def size(self) -> int:
        """Return how many objects are stored."""
        return len(self.pipelines) + len(self.contents)


def content_id(pack_id: str, kind: PackKind, key: str) -> Id:
    """Return the id that `key` of a pack has, unless the pack gives it another."""
    return stable_id(pack_id, kind, key)


def nothing_known(kind: PackKind, content_id: Id) -> bool:
    """Say that no content of other packs is loaded."""
    return False


def read_pack(source: str | bytes, *, file: str, known: Known = nothing_known) -> Pack:
    """Read a pack and check all of it; `known` tells which content of other packs is loaded.

    Raises PackError with every mistake found, in the order of the file.
    """
    tree = read_tree(source)
    flaws, header, found = list(tree.flaws), {"id": "", "name": "", "description": ""}, _Sorted()
    if tree.root is not None:
        header, wrong = _header(tree.root, tree)
        reader = _Reader(Builder(pack_id=header["id"], tree=tree, known=known))
        found = reader.read(tree.root)
        flaws += [*wrong, *reader.builder.flaws]
    if flaws:
        raise PackError(_problems(flaws, file))
    return Pack(**header, pipelines=found.pipelines, contents=found.contents)


def _problems(flaws: list[Flaw], file: str) -> list[PackProblem]:
    unique = dict.fromkeys(sorted(flaws, key=lambda flaw: (flaw.line, [str(part) for part in flaw.path])))
    return [
        PackProblem(file=file, line=f.line, path=".".join(str(p)[:60] for p in f.path), message=f.message)
        for f in unique
    ]


def _header(root: Fields, tree: Tree) -> tuple[dict[str, str], list[Flaw]]:
    """Return id, name and description of `pack:`, with empty texts for what is wrong."""
    empty = dict.fromkeys(_HEADER, "")
    header = root.get("pack")
    if "pack" not in root:
        return empty, [
            Flaw(1, ("pack",), "this is missing: a pack begins with `pack: {id, name, description}`")
        ]
    if not isinstance(header, dict):
        return empty, [
            Flaw(tree.line(("pack",)), ("pack",), "this should be a mapping with id, name and description")
        ]
    flaws = [
        Flaw(tree.line(("pack", name)), ("pack", name), _no_header_field(name))
        for name in header
        if name not in _HEADER
    ]
    if not is_key(header.get("id")):
        flaws.append(Flaw(tree.line(("pack", "id")), ("pack", "id"), f"a pack needs an id: {_KEY_RULE}"))
    for name in ("name", "description"):
        given = header.get(name, "")
        if not isinstance(given, str) or (name == "name" and not given.strip()):
            message = "this should be a text" if name in header else "this is missing"
            flaws.append(Flaw(tree.line(("pack", name)), ("pack", name), message))
    return {name: value if isinstance(value := header.get(name), str) else "" for name in _HEADER}, flaws


def _no_header_field(name: str) -> str:
    hint = meant(name, _HEADER) or f"; the fields here are {', '.join(_HEADER)}"
    return f"there is no field `{name[:60]}`{hint}"


@dataclass
class _Sorted:
    pipelines: list[PackPipeline] = field(default_factory=list)
    contents: list[tuple[ContentKind, AnyContent]] = field(default_factory=list)

    def add(self, kind: PackKind, content: PackContent) -> None:
        if isinstance(content, PackPipeline):
            self.pipelines.append(content)
        elif kind != "pipeline":
            self.contents.append((kind, content))


class _Reader:
    """Reads the sections of a pack: first all keys, so that references may lead forward, then the objects."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.seen: dict[Id, Path] = {}

    def read(self, root: Fields) -> _Sorted:
        for name in root:
            if name != "pack" and name not in _SECTIONS:
                sections = ("pack", *_SECTIONS)
                near = meant(name, sections) or f"; a pack has {', '.join(sections)}"
                self.builder.flaw((name,), f"there is no section `{name[:60]}`{near}")
        objects = {
            kind: self._keys(kind, root.get(section), (section,)) for section, kind in _SECTIONS.items()
        }
        found = _Sorted()
        for kind, items in objects.items():
            for item in items:
                if (content := self._content(kind, *item)) is not None:
                    found.add(kind, content)
        is_empty = not any(objects.values())
        if is_empty and not self.builder.flaws and not self.builder.tree.flaws:
            self.builder.flaw(("pack",), f"the pack is empty: add {', '.join(_SECTIONS)}")
        return found

    def _keys(self, kind: PackKind, section: object, path: Path) -> list[tuple[str, object, Path]]:
        builder, kept = self.builder, []
        for key, value, at in builder.items(section, path):
            written_in_list = isinstance(at[-1], int)
            place = (*at, "key") if written_in_list else at
            if key is None:
                builder.flaw(place, f"every object of a list needs a key: {_KEY_RULE}", final=False)
            elif not is_key(key):
                builder.flaw(place, f"`{key[:60]}` cannot be a key: {_KEY_RULE}", final=False)
            elif (kind, key) in builder.ids:
                builder.flaw(place, f"the key `{key}` is taken by an object above", final=False)
            if key is not None:
                builder.ids.setdefault((kind, key), own_id(value, content_id(builder.pack_id, kind, key)))
            kept.append((key or "", value, at))
        return kept

    def _content(self, kind: PackKind, key: str, value: object, path: Path) -> PackContent | None:
        body = self.builder.body(kind, value, key=key, path=path)
        try:
            content = PACK_MODELS[kind].model_validate(body)
        except ValidationError as error:
            self._explain(error)
            return None
        first = self.seen.setdefault(content.id, path)
        if first != path and isinstance(value, dict) and "id" in value:
            self.builder.flaw((*path, "id"), f"this id is taken by {'.'.join(map(str, first))}")
        for *place, _ in repeated_ids(content):
            at = self.builder.origin.get(tuple(place), path)
            self.builder.flaw(at, "another one above has this name or id: give this one a `key` of its own")
        return content

    def _explain(self, error: ValidationError) -> None:
        builder = self.builder
        messages: dict[Path, list[str]] = {}
        for detail in error.errors(include_url=False):
            path = self._written(detail)
            reported = any(path[:n] in builder.reported for n in range(len(path) + 1))
            if not reported and not _other_branch(detail):
                messages.setdefault(path, []).append(_message(detail))
        for path, found in messages.items():
            builder.flaw(path, "; ".join(found), final=False)

    def _written(self, detail: ErrorDetails) -> Path:
        """Return where the author wrote what pydantic refused."""
        loc: Path = tuple(detail["loc"])
        rest: Path = ()
        while loc not in self.builder.origin:
            loc, rest = loc[:-1], (loc[-1], *rest)
        path = self.builder.origin[loc]
        for part in rest:
            if (*path, part) in self.builder.tree.lines or detail["type"] == "missing":
                path = (*path, part)
        return path


def _other_branch(detail: ErrorDetails) -> bool:
    """Tell whether this is about the alternative that the author did not mean (`everyone` or a list)."""
    in_list = any(str(part).startswith("list[") for part in detail["loc"])
    is_list = isinstance(detail["input"], list)
    return (detail["type"] == "literal_error" and is_list) or (detail["type"] == "list_type" and in_list)


_PATTERNS = {
    "color": "a colour such as '#2f7d6d'",
    "url": "an address that begins with https://, http:// or /",
}


def _message(detail: ErrorDetails) -> str:
    """Say what pydantic found in the words of somebody who writes a pack."""
    kind, given = detail["type"], detail["input"]
    found = f", not {str(given)[:60]!r}" if given is not None else ", there is nothing here"
    text = detail["msg"].removeprefix("Value error, ").replace("Input should", "this should")
    if kind == "missing":
        return "this is missing"
    if kind == "too_short":
        return f"there should be at least {detail['ctx']['min_length']} of these"
    if kind == "too_long":
        return f"there should be at most {detail['ctx']['max_length']} of these"
    if kind == "string_type" and isinstance(given, int | float):
        return f"this should be a text: put {str(given)[:60]} into quotes"
    if kind == "string_pattern_mismatch":
        return f"this should be {_PATTERNS.get(str(detail['loc'][-1]), 'written differently')}{found}"
    if kind == "literal_error":
        return f"{text} or a list of profile ids{found}"
    if "UUID" in text:
        return f"this should be a UUID{found}"
    return text if kind == "value_error" or isinstance(given, list | dict) else text + found
