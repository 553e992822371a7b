"""Reads content packs and stores them: all of them, or none when one has a problem."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from schemas.content import Content, ContentKind
from schemas.envelope import Id
from server.cli.failure import Failure
from server.engine.pack_pipelines import PackKind
from server.engine.pack_yaml import MAX_BYTES
from server.engine.packs import Pack, PackError, PackProblem, read_pack
from server.engine.playground.loading import is_stored, is_taken, store_pipeline
from server.store import Store

BATCH = 50
Refs = set[tuple[PackKind, Id]]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a pack held, and how many of it were new or different."""

    pack: Pack
    changed: int

    def __str__(self) -> str:
        kinds: Counter[PackKind] = Counter(kind for kind, _ in self.pack.contents)
        if self.pack.pipelines:
            kinds["pipeline"] = len(self.pack.pipelines)
        held = ", ".join(f"{n} {kind}{'' if n == 1 else 's'}" for kind, n in kinds.items())
        news = f"{self.changed} new or changed" if self.changed else "nothing new"
        return f"{self.pack.id}: {held}; {news}"


class PacksError(Failure):
    """Packs have problems; the message has a line for each: file:line: path: message."""

    def __init__(self, problems: Sequence[PackProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems), code=1)


def read_files(files: Iterable[Path]) -> dict[str, bytes]:
    """Return the content of files by their names; raises Failure for one that cannot be read."""
    sources = {}
    for path in files:
        try:
            with path.open("rb") as file:
                sources[str(path)] = file.read(MAX_BYTES + 1)  # more than a pack may have is refused
        except OSError as error:
            raise Failure(f"cannot read {path}: {error.strerror}", code=1) from error
    return sources


async def read_packs(sources: dict[str, bytes], *, store: Store, org: str) -> list[Pack]:
    """Return the packs of sources, which may refer to those before them and to what is stored.

    Raises PacksError with every problem of all of them.
    """
    packs: list[Pack] = []
    problems: list[PackProblem] = []
    known: Refs = set()

    def is_known(kind: PackKind, key: Id) -> bool:
        return (kind, key) in known

    for file, source in sources.items():
        known.update(await _stored(_asked(file, source) - known, store=store, org=org))
        try:
            pack = read_pack(source, file=file, known=is_known)
        except PackError as error:
            problems += error.problems
            continue
        problems += await _foreign(pack, file, store=store, org=org)
        known.update((kind, content.id) for kind, content in pack.contents)
        known.update(("pipeline", pipeline.id) for pipeline in pack.pipelines)
        packs.append(pack)
    if problems:
        raise PacksError(problems)
    return packs


async def store_packs(
    packs: Sequence[Pack], *, store: Store, org: str, offline: bool, advance: Callable[[int], None]
) -> list[Loaded]:
    """Store packs, telling `advance` how many more objects are in; repeating it changes nothing.

    Documents of pipelines are indexed by the servers and workers of this database, soon or when they run;
    `offline` tells whether they make vectors themselves.
    """
    loaded = []
    for pack in packs:
        changed = 0
        for pipeline in pack.pipelines:
            changed += await store_pipeline(pipeline, store=store, org=org, offline=offline)
            advance(1)
        for start in range(0, len(pack.contents), BATCH):
            part = pack.contents[start : start + BATCH]
            changed += await store.content.put(part, org=org)
            advance(len(part))
        loaded.append(Loaded(pack=pack, changed=changed))
    return loaded


def _asked(file: str, source: bytes) -> Refs:
    """Return the content of other packs that a pack names; a first reading that believes all of it exists."""
    asked: Refs = set()

    def note(kind: PackKind, key: Id) -> bool:
        asked.add((kind, key))
        return True

    with suppress(PackError):  # the second reading tells
        read_pack(source, file=file, known=note)
    return asked


async def _stored(refs: Refs, *, store: Store, org: str) -> Refs:
    return {(kind, key) for kind, key in refs if await _is_there(kind, key, store=store, org=org)}


async def _is_there(kind: PackKind, key: Id, *, store: Store, org: str) -> bool:
    if kind == "pipeline":
        return await is_stored(key, store=store, org=org)
    return await store.content.get(kind, key, org=org) is not None


async def _foreign(pack: Pack, file: str, *, store: Store, org: str) -> list[PackProblem]:
    """Return a problem for each object whose id belongs to another organisation, or to something else."""
    found = []
    for kind, content in pack.contents:
        if await _taken(kind, content, store=store, org=org):
            message = f"its id {content.id} belongs to another organisation or to another kind of content"
            found.append(PackProblem(file=file, line=1, path=f"{kind} {content.name}", message=message))
    for pipeline in pack.pipelines:
        if await is_taken(pipeline, store=store, org=org):
            message = f"its id {pipeline.id} belongs to another pipeline"
            found.append(PackProblem(file=file, line=1, path=f"pipeline {pipeline.name}", message=message))
    return found


async def _taken(kind: ContentKind, content: Content, *, store: Store, org: str) -> bool:
    if await store.content.get(kind, content.id, org=org) is not None:
        return False
    return await store.content.exists(content.id)
