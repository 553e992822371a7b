"""Authored content over its life: who sees it, what may be stored, what may be deleted (socket-v5 §10)."""

from typing import Any

from pydantic import ValidationError

from schemas.content import (
    CONTENT_MODELS,
    Agent,
    AnyContent,
    Benchmark,
    ContentKind,
    Home,
    Persona,
    Practice,
    Scenario,
    StoredContent,
)
from schemas.envelope import Id, Problem
from server.engine.access import Identity
from server.engine.authoring_parts import repeated_ids, with_ids, with_new_ids
from server.engine.content_views import benchmark_row, content_row
from server.engine.playground.pipelines import may_read
from server.errors import BadRequest, Conflict, Forbidden, NotFound
from server.store import Store
from server.store.pages import Page

COPY = " (copy)"
MAX_NAME = 200
HIDDEN: frozenset[ContentKind] = frozenset({"agent", "benchmark"})  # learners never see them
OURS = frozenset({"kind", "version", "created_at", "updated_at"})  # told by us; given back they are ignored
Row = dict[str, Any]
Reference = tuple[ContentKind, Id, list[str | int]]


class Authoring:
    """Reads content for everybody, and changes it for authors of its organisation.

    Everything raises NotFound for what a caller may not see, whether it exists or not, and Forbidden for what
    a caller may see but not change.
    """

    def __init__(self, store: Store) -> None:
        self._content = store.content
        self._pipelines = store.pipelines

    async def page(self, caller: Identity, kind: ContentKind, *, limit: int, cursor: str | None) -> Page[Row]:
        """Return a page of content, newest first; raises BadRequest for a cursor that is not ours."""
        if not _may_see(caller, kind):
            return Page([], None)
        assigned = caller.id if kind == "home" and not caller.sees_all else None
        page = await self._content.page(kind, org=caller.org, limit=limit, cursor=cursor, assigned=assigned)
        stored = [StoredContent.model_validate({**row, "id": row["_id"]}) for row in page.items]
        if kind == "benchmark":
            return Page([benchmark_row(s) for s in stored], page.next_cursor)
        return Page([content_row(s, caller) for s in stored], page.next_cursor)

    async def get(self, caller: Identity, kind: ContentKind, key: Id) -> Row:
        """Return one piece of content."""
        return content_row(await self._visible(caller, kind, key), caller)

    async def create(self, caller: Identity, kind: ContentKind, body: object) -> Row:
        """Store new content under a new id."""
        _check_author(caller)
        content = read_content(kind, None, body)
        await self._check_references(caller, content)
        return content_row(await self._written(caller, kind, content, None), caller)

    async def put(
        self, caller: Identity, kind: ContentKind, key: Id, *, body: object, version: int | None
    ) -> tuple[Row, bool]:
        """Replace content, or store it under a new id that the author chose; tell whether it is new.

        With a version it must exist and still have that version: raises Conflict.
        """
        await self._check_may_change(caller, kind, key)
        before = await self._content.get(kind, key, org=caller.org)
        if version is not None and before is None:
            raise _missing(kind)
        content = read_content(kind, key, body)
        await self._check_references(caller, content, kept=_pipeline_of(before))
        stored = await self._written(caller, kind, content, version)
        return content_row(stored, caller), before is None

    async def duplicate(self, caller: Identity, kind: ContentKind, key: Id) -> Row:
        """Store a copy under new ids, also of the standards, questions, options and media in it."""
        await self._check_may_change(caller, kind, key)
        stored = await self._visible(caller, kind, key)
        body = with_new_ids(stored.body)
        body["name"] = stored.name[: MAX_NAME - len(COPY)] + COPY
        content = CONTENT_MODELS[kind].model_validate(body)
        _refuse(await self._unreadable(caller, content))
        return content_row(await self._written(caller, kind, content, None), caller)

    async def delete(self, caller: Identity, kind: ContentKind, key: Id) -> None:
        """Remove content; raises Conflict while other content refers to it. Chats keep their copies."""
        await self._check_may_change(caller, kind, key)
        users = await self._content.naming(kind, key, org=caller.org)
        if users:
            names = ", ".join(f"{u.kind} “{u.name}”" for u in users)
            raise Conflict(f"The {kind} is still used by {names}; change or delete that first.")
        if not await self._content.delete(kind, key, org=caller.org):
            raise _missing(kind)

    async def _visible(self, caller: Identity, kind: ContentKind, key: Id) -> StoredContent:
        stored = await self._content.get(kind, key, org=caller.org) if _may_see(caller, kind) else None
        if stored is None or not (kind != "home" or caller.sees_all or _assigned(stored, caller)):
            raise _missing(kind)
        return stored

    async def _check_may_change(self, caller: Identity, kind: ContentKind, key: Id) -> None:
        if not caller.is_author:
            await self._visible(caller, kind, key)
            _check_author(caller)

    async def _written(
        self, caller: Identity, kind: ContentKind, content: AnyContent, version: int | None
    ) -> StoredContent:
        stored = await self._content.write(kind, content, org=caller.org, version=version)
        if stored is not None:
            return stored
        if version is None:
            raise _missing(kind)  # the id is another organisation's, or another kind's
        raise Conflict(f"The {kind} is not at version {version} any more; read it again.")

    async def _check_references(
        self, caller: Identity, content: AnyContent, *, kept: Id | None = None
    ) -> None:
        """Raise BadRequest naming every reference that leads nowhere.

        `kept` is the pipeline that the content names already: whoever edits the rest need not read it, and it
        may be gone.
        """
        wanted: dict[ContentKind, list[Reference]] = {}
        for reference in references_of(content):
            wanted.setdefault(reference[0], []).append(reference)
        problems: list[Problem] = []
        for kind, references in wanted.items():
            found = await self._content.many(kind, [r[1] for r in references], org=caller.org)
            problems += [
                Problem(loc=loc, msg=f"There is no {kind} with this id", type="reference")
                for _, key, loc in references
                if key not in found
            ]
        _refuse(problems + await self._unreadable(caller, content, kept=kept))

    async def _unreadable(
        self, caller: Identity, content: AnyContent, *, kept: Id | None = None
    ) -> list[Problem]:
        """Return a problem when content names a pipeline that its author may not read.

        Who practises with it is shown passages of that pipeline, so this is as if the author gave them away.
        """
        if not isinstance(content, Persona | Agent) or content.pipeline_id is None:
            return []
        if content.pipeline_id == kept:
            return []
        pipeline = await self._pipelines.get(content.pipeline_id)
        if pipeline is not None and may_read(caller, pipeline):
            return []
        message = "There is no pipeline with this id that you may read"
        return [Problem(loc=["pipeline_id"], msg=message, type="reference")]


def read_content(kind: ContentKind, key: Id | None, body: object) -> AnyContent:
    """Return a request's body as content with an id; parts without an id get one. Raises BadRequest."""
    if not isinstance(body, dict):
        raise BadRequest(f"A {kind} is one JSON object.")
    fields = with_ids(kind, {name: value for name, value in body.items() if name not in OURS}, key=key)
    try:
        content = CONTENT_MODELS[kind].model_validate(fields)
    except ValidationError as error:
        raise _refused(error) from error
    problems = [
        Problem(loc=loc, msg="Another part has this id", type="repeated") for loc in repeated_ids(content)
    ]
    if key is not None and content.id != key:
        problems.append(Problem(loc=["id"], msg="It is not the id of the address", type="id"))
    if isinstance(content, Scenario):
        videos = {v.id for v in content.videos}
        problems += [
            Problem(loc=["questions", i, "video_id"], msg="The scenario has no such video", type="reference")
            for i, q in enumerate(content.questions)
            if q.video_id is not None and q.video_id not in videos
        ]
    _refuse(problems)
    return content


def references_of(content: AnyContent) -> list[Reference]:
    """Return what content refers to, with the places that do."""
    found: list[Reference] = []
    if isinstance(content, Scenario):
        found.append(("persona", content.persona_id, ["persona_id"]))
        found += [("document", key, ["document_ids", i]) for i, key in enumerate(content.document_ids)]
        if content.rubric_id is not None:
            found.append(("rubric", content.rubric_id, ["rubric_id"]))
    elif isinstance(content, Practice):
        for index, ref in enumerate(content.scenarios):
            found.append(("scenario", ref.scenario_id, ["scenarios", index, "scenario_id"]))
            if ref.rubric_id is not None:
                found.append(("rubric", ref.rubric_id, ["scenarios", index, "rubric_id"]))
        if isinstance(content, Home):
            found += [
                ("persona", pair.persona_id, ["profile_personas", i, "persona_id"])
                for i, pair in enumerate(content.profile_personas)
            ]
    elif isinstance(content, Benchmark):
        found += _of_benchmark(content)
    return found


def _of_benchmark(benchmark: Benchmark) -> list[Reference]:
    found: list[Reference] = [("agent", key, ["agent_ids", i]) for i, key in enumerate(benchmark.agent_ids)]
    rubrics: list[tuple[Id | None, list[str | int]]] = [(benchmark.rubric_id, ["rubric_id"])]
    rubrics += [(run.rubric_id, ["runs", i, "rubric_id"]) for i, run in enumerate(benchmark.runs)]
    found += [("rubric", key, place) for key, place in rubrics if key is not None]
    return found


def _pipeline_of(stored: StoredContent | None) -> Id | None:
    key = stored.body.get("pipeline_id") if stored else None
    return key if isinstance(key, str) else None


def _assigned(stored: StoredContent, caller: Identity) -> bool:
    profiles = stored.body["profiles"]
    return profiles == "everyone" or (isinstance(profiles, list) and caller.id in profiles)


def _may_see(caller: Identity, kind: ContentKind) -> bool:
    return caller.sees_all or kind not in HIDDEN


def _check_author(caller: Identity) -> None:
    if not caller.is_author:
        raise Forbidden("Only authors may change content.")


def _missing(kind: ContentKind) -> NotFound:
    return NotFound(f"There is no such {kind}, or it is not yours.")


def _refused(error: ValidationError) -> BadRequest:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return _bad_request([Problem(loc=list(e["loc"]), msg=e["msg"], type=e["type"]) for e in found])


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise _bad_request(problems)


def _bad_request(problems: list[Problem]) -> BadRequest:
    first = problems[0]
    where = ".".join(str(part) for part in first.loc)
    return BadRequest(f"{where}: {first.msg}" if where else first.msg, details=problems)
