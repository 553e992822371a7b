"""Content as a pack that `python -m server load` takes: with everything that it names."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML

from schemas.content import CONTENT_KINDS, CONTENT_MODELS, AnyContent, ContentKind
from schemas.draft import Draft
from schemas.envelope import Id
from server.engine.access import Identity
from server.engine.authoring import references_of
from server.engine.drafting.building import KINDS
from server.engine.drafting.exporting_pipelines import ExportingPipelines, pipeline_of, whole
from server.engine.drafting.saving import Saver
from server.engine.drafting.subject import Subject, Subjects
from server.engine.pack_pipelines import PackKind, PackPipeline
from server.engine.pack_shapes import SHAPES, Shape
from server.errors import BadRequest, Conflict, Forbidden, NotFound
from server.store import Store

Contents = list[tuple[ContentKind, AnyContent]]
Fields = dict[str, Any]
MAX_CONTENTS = 500
_NO_KEY = re.compile(r"[^a-z0-9]+")


@dataclass
class Exported:
    """Content, what it names before it, its pipelines, and why a pipeline is left out."""

    contents: Contents
    pipelines: list[PackPipeline] = field(default_factory=list)
    left_out: dict[Id, str] = field(default_factory=dict)


class Exporting:
    """Collects content for its authors and writes packs."""

    def __init__(self, store: Store) -> None:
        self._content = store.content
        self._pipelines = ExportingPipelines(store)
        self._saver = Saver(store)
        self._subjects = Subjects(store)

    async def content(self, caller: Identity, kind: ContentKind, key: Id) -> Exported:
        """Return content with everything that it names."""
        found = await self._content.body(kind, key, org=caller.org)
        if not caller.is_author:
            raise Forbidden("Only authors export content.") if found else _missing(kind)
        if found is None:
            raise _missing(kind)
        return await self._whole([(kind, found)], caller)

    async def draft(self, caller: Identity, draft: Draft) -> Exported:
        """Return what saving a draft would store; raises Conflict naming what is missing."""
        artifact = draft.artifact_type
        if artifact not in KINDS:
            raise BadRequest(f"A draft of a {artifact} is no content; there is nothing to export.")
        if not caller.is_author:
            raise Forbidden("Only authors export content.")
        subject = Subject()
        if draft.artifact_id is not None and artifact != "attempt":
            subject = await self._subjects.content(artifact, draft.artifact_id, org=caller.org)
        saving = await self._saver.build(artifact, draft.form_state, subject, org=caller.org, key=draft.id)
        made: Contents = [(s.kind, CONTENT_MODELS[s.kind].model_validate(s.body)) for s in saving]
        return await self._whole(made, caller)

    def write(self, exported: Exported, name: str) -> str:
        """Return a pack; loading it stores the same content under the same ids."""
        contents = exported.contents
        keys = _keys([*contents, *(("pipeline", pipeline) for pipeline in exported.pipelines)])
        pack: Fields = {"pack": {"id": _slug(name), "name": contents[-1][1].name, "description": ""}}
        if exported.pipelines:
            pack["pipelines"] = {keys["pipeline", p.id]: whole(p) for p in exported.pipelines}
        for kind in CONTENT_KINDS:
            section = {
                keys[kind, c.id]: _fields(SHAPES[kind], _dump(c), keys) for k, c in contents if k == kind
            }
            if section:
                pack[f"{kind}s"] = section
        out = io.StringIO()
        out.writelines(_notices(exported, keys))
        yaml = YAML(typ="safe", pure=True)
        yaml.default_flow_style = False
        yaml.allow_unicode = True
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        yaml.width = 110
        yaml.dump(pack, out)
        return out.getvalue()

    async def _whole(self, contents: Contents, caller: Identity) -> Exported:
        """Add what content names, and what that names."""
        found = await self._named(contents, org=caller.org)
        asked = {key: None for _, content in found if (key := pipeline_of(content))}
        pipelines, left_out = await self._pipelines.read(caller, list(asked))
        return Exported(contents=found, pipelines=pipelines, left_out=left_out)

    async def _named(self, contents: Contents, *, org: str) -> Contents:
        known = {(kind, c.id) for kind, c in contents}
        found, waiting = list(contents), [c for _, c in contents]
        while waiting:
            for kind, key, _ in references_of(waiting.pop()):
                if (kind, key) in known:
                    continue
                named = await self._content.body(kind, key, org=org)
                if named is None:
                    raise Conflict(f"The {kind} {key}, which this names, does not exist any more.")
                known.add((kind, key))
                found.insert(0, (kind, named))
                waiting.append(named)
                if len(found) > MAX_CONTENTS:
                    raise Conflict(f"This names more than {MAX_CONTENTS} objects; export its parts.")
        return found


Keys = dict[tuple[str, Id], str]


def _keys(contents: Sequence[tuple[PackKind, AnyContent | PackPipeline]]) -> Keys:
    """Return a readable key for each object, each once among its kind."""
    keys: Keys = {}
    for kind, content in contents:
        taken = {key for (k, _), key in keys.items() if k == kind}
        keys[kind, content.id] = _free(_slug(content.name), taken)
        videos: list[str] = []
        for video in getattr(content, "videos", []):
            videos.append(_free(_slug(video.name), videos))
            keys["video", video.id] = videos[-1]
    return keys


def _notices(exported: Exported, keys: Keys) -> list[str]:
    """Return comments that say which pipelines are left out; keys are safe in them, names are not."""
    return [
        f"# {kind}s.{keys[kind, content.id]}: the pipeline that it names is left out: {reason}.\n"
        "# Loaded as it is here, it names none.\n"
        for kind, content in exported.contents
        if (reason := exported.left_out.get(pipeline_of(content) or ""))
    ]


def _free(slug: str, taken: Sequence[str] | set[str]) -> str:
    found, number = slug, 2
    while found in taken:
        found, number = f"{slug[:58]}-{number}", number + 1
    return found


def _slug(name: str) -> str:
    return _NO_KEY.sub("-", name.lower()).strip("-")[:64].strip("-") or "content"


def _dump(content: AnyContent) -> Fields:
    return content.model_dump(exclude_none=True, exclude_defaults=True) | {"id": content.id}


def _fields(shape: Shape, body: Fields, keys: Keys) -> Fields:
    """Return a body as a pack has it: references by key, parts in lists."""
    written = dict(body)
    for name, reference in shape.references.items():
        ids = written.pop(reference.target, None)
        if isinstance(ids, list):
            written[name] = [keys[reference.kind, key] for key in ids]
        elif (reference.kind, ids) in keys:
            written[name] = keys[reference.kind, ids]
    for name, part in shape.parts.items():
        if name in written:
            written[name] = [_part(part, item, keys) for item in written[name]]
    return written


def _part(shape: Shape, item: Fields, keys: Keys) -> Fields:
    fields = _fields(shape, item, keys)
    if shape.shorthand:
        fields.setdefault("position", None)  # else its place in the list would become its position
    if ("video", item.get("id", "")) in keys:
        fields["key"] = keys["video", item["id"]]
    return fields


def _missing(kind: ContentKind) -> NotFound:
    return NotFound(f"There is no such {kind}, or it is not yours.")
