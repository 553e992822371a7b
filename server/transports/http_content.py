"""Authored content over HTTP: lists and single objects for everybody, changes for authors (socket-v5 §10)."""

import re

from aiohttp import web

from schemas.content import CONTENT_KINDS, ContentKind
from server.engine.authoring import Authoring, Row
from server.errors import BadRequest
from server.transports import keys
from server.transports.documents.query import PageLimit
from server.transports.documents.shapes import CONTENT, LISTED, WRITTEN
from server.transports.documents.told import Page, told
from server.transports.http_errors import json_response
from server.transports.http_query import id_of, wanted_of
from server.transports.http_requests import identify, read_json

KINDS: dict[str, ContentKind] = {f"{kind}s": kind for kind in CONTENT_KINDS}
ADDRESS = f"/api/v1/{{kind:{'|'.join(KINDS)}}}"
_VERSION = re.compile(r'(?:W/)?"?([0-9]{1,9})"?')


def attach(app: web.Application) -> None:
    """Add the addresses of content."""
    content = HttpContent(Authoring(app[keys.STORE]))
    app.router.add_get(ADDRESS, content.list)
    app.router.add_post(ADDRESS, content.create)
    app.router.add_get(ADDRESS + "/{id}", content.get)
    app.router.add_put(ADDRESS + "/{id}", content.put)
    app.router.add_delete(ADDRESS + "/{id}", content.delete)
    app.router.add_post(ADDRESS + "/{id}/duplicate", content.duplicate)


class HttpContent:
    """Handlers of content; objects carry their version as an ETag, which If-Match takes back."""

    def __init__(self, authoring: Authoring) -> None:
        self._authoring = authoring

    @told(Page(LISTED), query={"limit": PageLimit, "cursor": str})
    async def list(self, request: web.Request) -> web.Response:
        """Answer a page."""
        caller = await identify(request)
        wanted = wanted_of(request)
        page = await self._authoring.page(caller, _kind(request), limit=wanted.limit, cursor=wanted.cursor)
        return json_response({"items": page.items, "next_cursor": page.next_cursor})

    @told(CONTENT)
    async def get(self, request: web.Request) -> web.Response:
        """Answer one object."""
        caller = await identify(request)
        return _object(await self._authoring.get(caller, _kind(request), id_of(request)))

    @told({201: CONTENT}, body=WRITTEN)
    async def create(self, request: web.Request) -> web.Response:
        """Store a new object and answer it."""
        caller = await identify(request)
        row = await self._authoring.create(caller, _kind(request), await read_json(request))
        return _object(row, status=201)

    @told({200: CONTENT, 201: CONTENT}, body=WRITTEN, headers={"If-Match": str})
    async def put(self, request: web.Request) -> web.Response:
        """Replace an object and answer it; 201 when it is new."""
        caller = await identify(request)
        row, is_new = await self._authoring.put(
            caller,
            _kind(request),
            id_of(request),
            body=await read_json(request),
            version=_version(request),
        )
        return _object(row, status=201 if is_new else 200)

    @told({204: None})
    async def delete(self, request: web.Request) -> web.Response:
        """Remove an object."""
        caller = await identify(request)
        await self._authoring.delete(caller, _kind(request), id_of(request))
        return web.Response(status=204)

    @told({201: CONTENT})
    async def duplicate(self, request: web.Request) -> web.Response:
        """Store a copy and answer it."""
        caller = await identify(request)
        return _object(await self._authoring.duplicate(caller, _kind(request), id_of(request)), status=201)


def _kind(request: web.Request) -> ContentKind:
    return KINDS[request.match_info["kind"]]


def _object(row: Row, *, status: int = 200) -> web.Response:
    response = json_response(row, status=status)
    response.headers["ETag"] = f'"{row["version"]}"'
    if status == 201:
        response.headers["Location"] = f"/api/v1/{row['kind']}s/{row['id']}"
    return response


def _version(request: web.Request) -> int | None:
    """Return the version that a change is made for, None when any will do."""
    text = request.headers.get("If-Match", "").strip()
    if not text:
        return None
    match = _VERSION.fullmatch(text)
    if match is None:
        raise BadRequest("If-Match: the version of the object is needed, such as 3.")
    return int(match[1])
