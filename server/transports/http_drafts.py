"""Drafts over HTTP, what artifacts consist of, and content as packs (socket-v5 §6, §10)."""

import asyncio
from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from schemas.draft import Draft, DraftChange, DraftNew
from schemas.envelope import Problem
from server.engine.drafting import Drafts
from server.engine.drafting.docs import docs_of
from server.engine.drafting.drafts import VersionConflict
from server.engine.drafting.exporting import Exporting
from server.engine.drafting.views import draft_row, form_shown, run_row
from server.errors import BadRequest
from server.transports import keys
from server.transports.documents.query import PageLimit
from server.transports.documents.shapes import DRAFT, ArtifactDocs, DraftChanged, DraftRun
from server.transports.documents.told import Media, Page, told
from server.transports.http_content import KINDS
from server.transports.http_errors import json_response
from server.transports.http_query import id_of, wanted_of
from server.transports.http_requests import identify, read_json

M = TypeVar("M", bound=BaseModel)
DRAFTS = "/api/v1/drafts"


def attach(app: web.Application) -> None:
    """Add the addresses of drafts, docs and packs."""
    http = HttpDrafts(app[keys.DRAFTS], Exporting(app[keys.STORE]))
    app.router.add_get(DRAFTS, http.list)
    app.router.add_post(DRAFTS, http.create)
    app.router.add_get(DRAFTS + "/{id}", http.get)
    app.router.add_patch(DRAFTS + "/{id}", http.change)
    app.router.add_delete(DRAFTS + "/{id}", http.delete)
    app.router.add_post(DRAFTS + "/{id}/duplicate", http.duplicate)
    app.router.add_get(DRAFTS + "/{id}/runs", http.runs)
    app.router.add_get(DRAFTS + "/{id}/export", http.export)
    app.router.add_get("/api/v1/docs/{artifact}", http.docs)
    app.router.add_get(f"/api/v1/{{kind:{'|'.join(KINDS)}}}/{{id}}/export", http.export_content)


class HttpDrafts:
    """Handlers of drafts; each answers to its owner only."""

    def __init__(self, drafts: Drafts, exporting: Exporting) -> None:
        self._drafts = drafts
        self._exporting = exporting

    @told(Page(DRAFT), query={"limit": PageLimit, "cursor": str})
    async def list(self, request: web.Request) -> web.Response:
        """Answer a page of one's own drafts."""
        caller, wanted = await identify(request), wanted_of(request)
        page = await self._drafts.page(caller, limit=wanted.limit, cursor=wanted.cursor)
        items = [draft_row(d, author=caller.is_author) for d in page.items]
        return json_response({"items": items, "next_cursor": page.next_cursor})

    @told({201: DRAFT}, body=DraftNew)
    async def create(self, request: web.Request) -> web.Response:
        """Store a new draft and answer it."""
        caller = await identify(request)
        wanted = _read(DraftNew, await read_json(request))
        draft = await self._drafts.make(caller, wanted.artifact_type, wanted.artifact_id)
        return _created(draft, author=caller.is_author)

    @told(DRAFT)
    async def get(self, request: web.Request) -> web.Response:
        """Answer a draft."""
        caller = await identify(request)
        draft = await self._drafts.owned(caller, id_of(request))
        return json_response(draft_row(draft, author=caller.is_author))

    @told(DraftChanged, body=DraftChange)
    async def change(self, request: web.Request) -> web.Response:
        """Change a draft's form; 409 with the draft as it is when it has another version."""
        caller = await identify(request)
        try:
            draft = await self._drafts.change(
                caller, id_of(request), _read(DraftChange, await read_json(request))
            )
        except VersionConflict as error:
            return _conflict(error, author=caller.is_author)
        return json_response(
            {
                "success": True,
                "draft_id": draft.id,
                "new_version": draft.version,
                "form_state": form_shown(draft.form_state, author=caller.is_author),
            }
        )

    @told({204: None})
    async def delete(self, request: web.Request) -> web.Response:
        """Remove a draft."""
        await self._drafts.delete(await identify(request), id_of(request))
        return web.Response(status=204)

    @told({201: DRAFT})
    async def duplicate(self, request: web.Request) -> web.Response:
        """Store a copy and answer it."""
        caller = await identify(request)
        return _created(await self._drafts.duplicate(caller, id_of(request)), author=caller.is_author)

    @told(Page(DraftRun), query={"limit": PageLimit, "cursor": str})
    async def runs(self, request: web.Request) -> web.Response:
        """Answer a page of the runs of generate that write into a draft."""
        caller, wanted = await identify(request), wanted_of(request)
        page = await self._drafts.runs(caller, id_of(request), limit=wanted.limit, cursor=wanted.cursor)
        return json_response({"items": [run_row(run) for run in page.items], "next_cursor": page.next_cursor})

    @told(Media("application/yaml"))
    async def export(self, request: web.Request) -> web.Response:
        """Answer what saving a draft would store, as a pack."""
        caller = await identify(request)
        draft = await self._drafts.owned(caller, id_of(request))
        return await self._pack(await self._exporting.draft(caller, draft), name=f"draft-{draft.id}")

    @told(Media("application/yaml"))
    async def export_content(self, request: web.Request) -> web.Response:
        """Answer content with everything that it names, as a pack."""
        caller = await identify(request)
        kind = KINDS[request.match_info["kind"]]
        key = id_of(request)
        return await self._pack(await self._exporting.content(caller, kind, key), name=f"{kind}-{key}")

    @told(ArtifactDocs)
    async def docs(self, request: web.Request) -> web.Response:
        """Answer the JSON schemas of an artifact's resource and entry types."""
        await identify(request)
        return json_response(docs_of(request.match_info["artifact"]))

    async def _pack(self, contents: Any, *, name: str) -> web.Response:
        text = await asyncio.to_thread(self._exporting.write, contents, name)
        return web.Response(
            text=text,
            content_type="application/yaml",
            charset="utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="{name}.yaml"',
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "private, no-store",
            },
        )


def _created(draft: Draft, *, author: bool) -> web.Response:
    response = json_response(draft_row(draft, author=author), status=201)
    response.headers["Location"] = f"{DRAFTS}/{draft.id}"
    return response


def _conflict(error: VersionConflict, *, author: bool) -> web.Response:
    """Answer with what the client needs to bring its change to the present version."""
    failure = error.failure().model_dump(exclude_none=True)
    failure["details"] = [
        {
            "loc": ["expected_version"],
            "msg": error.message,
            "type": "version",
            "current_version": error.draft.version,
            "form_state": form_shown(error.draft.form_state, author=author),
        }
    ]
    return web.Response(
        body=orjson.dumps({"success": False, "error": failure}),
        status=error.status,
        content_type="application/json",
    )


def _read(model: type[M], body: object) -> M:
    if not isinstance(body, dict):
        raise BadRequest("The body should be one JSON object.")
    try:
        return model.model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        details = [Problem(loc=list(e["loc"]), msg=e["msg"], type=e["type"]) for e in found]
        where = ".".join(str(part) for part in details[0].loc)
        raise BadRequest(f"{where}: {details[0].msg}", details=details) from error
