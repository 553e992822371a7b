"""Documents of pipelines over HTTP: put as JSON or as files, listed, read, deleted, and how far they are."""

import asyncio
from typing import Annotated

from aiohttp import web
from pydantic import Field, TypeAdapter

from schemas.pipeline import MAX_DOCUMENTS_AT_ONCE, DocumentView, DocumentWrite
from server.engine.playground.documents import Sent
from server.engine.playground.views import document_status, document_view
from server.transports import keys
from server.transports.documents.query import Number
from server.transports.documents.shapes_products import DOCUMENT_STATUS, ChunkView, DocumentPage
from server.transports.documents.told import Many, told
from server.transports.http_errors import json_response
from server.transports.http_pipelines_errors import PREFIX
from server.transports.http_pipelines_files import FORM, MULTIPART, read_files
from server.transports.http_pipelines_requests import KEY, caller_of, key_of, parsed, pipeline_id_of
from server.transports.http_query import number_in
from server.transports.uploads import UPLOADS, Upload

ALL = f"{PREFIX}/{{pipeline_id}}/documents"
ONE = f"{ALL}/{{document_id}}"
PAGE = 1_000
DEFAULT_PAGE = 100
MAX_SKIP = 1_000_000
MAX_BODY = 32 * 1024 * 1024
WRITES = TypeAdapter(Annotated[list[DocumentWrite], Field(max_length=MAX_DOCUMENTS_AT_ONCE)])


def attach(app: web.Application) -> None:
    """Add the addresses of documents."""
    documents = HttpDocuments(app)
    app.router.add_get(ALL, documents.all)
    app.router.add_post(ALL, documents.create)
    app.router.add_put(ALL, documents.upsert)
    app.router.add_get(f"{ALL}/paginated", documents.page)
    app.router.add_get(ONE, documents.get)
    app.router.add_delete(ONE, documents.delete)
    app.router.add_get(f"{ONE}/status", documents.status)
    app.router.add_get(f"{ONE}/chunks", documents.chunks)


class HttpDocuments:
    """Handlers of documents; lists may be shorter than their limit when documents are large."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._pipelines = app[keys.PIPELINES]
        self._documents = app[keys.DOCUMENTS]

    @told(Many(DocumentView), body=(Many(DocumentWrite), FORM), headers={KEY: str})
    async def create(self, request: web.Request) -> web.Response:
        """Store new documents, or files, and answer them."""
        return await self._put(request, replace=False)

    @told(Many(DocumentView), body=(Many(DocumentWrite), FORM), headers={KEY: str})
    async def upsert(self, request: web.Request) -> web.Response:
        """Store documents, or files, in the place of those with their ids, and answer them."""
        return await self._put(request, replace=True)

    @told(Many(DocumentView), query={"skip": Number, "limit": Number})
    async def all(self, request: web.Request) -> web.Response:
        """Answer some documents, oldest first."""
        caller, pipeline_id = await caller_of(request), pipeline_id_of(request)
        skip, limit = _page_of(request)
        found = await self._documents.listed(caller, pipeline_id, skip=skip, limit=limit)
        return json_response([document_view(document) for document in found])

    @told(DocumentPage, query={"skip": Number, "limit": Number})
    async def page(self, request: web.Request) -> web.Response:
        """Answer some documents, and how many there are."""
        caller, pipeline_id = await caller_of(request), pipeline_id_of(request)
        skip, limit = _page_of(request)
        found = await self._documents.listed(caller, pipeline_id, skip=skip, limit=limit)
        total = await self._documents.count(caller, pipeline_id)
        documents = [document_view(document) for document in found]
        return json_response({"documents": documents, "limit": limit, "offset": skip, "total_count": total})

    @told(DocumentView)
    async def get(self, request: web.Request) -> web.Response:
        """Answer a document."""
        caller, pipeline_id = await caller_of(request), pipeline_id_of(request)
        document = await self._documents.get(caller, pipeline_id, request.match_info["document_id"])
        return json_response(document_view(document))

    @told({204: None})
    async def delete(self, request: web.Request) -> web.Response:
        """Remove a document."""
        caller, pipeline_id = await caller_of(request), pipeline_id_of(request)
        await self._documents.delete(caller, pipeline_id, request.match_info["document_id"])
        return web.Response(status=204)

    @told(DOCUMENT_STATUS)
    async def status(self, request: web.Request) -> web.Response:
        """Answer how far the indexing of a document is, and why it failed."""
        caller, pipeline_id = await caller_of(request), pipeline_id_of(request)
        document = await self._documents.get(caller, pipeline_id, request.match_info["document_id"])
        return json_response(document_status(document))

    @told(Many(ChunkView), query={"skip": Number, "limit": Number})
    async def chunks(self, request: web.Request) -> web.Response:
        """Answer chunks of a document that are found, in their order."""
        caller, pipeline_id = await caller_of(request), pipeline_id_of(request)
        skip, limit = _page_of(request)
        document_id = request.match_info["document_id"]
        return json_response(
            await self._documents.chunks(caller, pipeline_id, document_id, skip=skip, limit=limit)
        )

    async def _put(self, request: web.Request, *, replace: bool) -> web.Response:
        caller, pipeline_id, key = await caller_of(request), pipeline_id_of(request), key_of(request)
        await self._pipelines.writable(caller, pipeline_id)  # before a large body is read
        sent, upload = await self._read(request)
        try:
            found = await self._documents.put(caller, pipeline_id, sent, replace=replace, key=key)
            return json_response([document_view(document) for document in found])
        finally:
            upload.leave()

    async def _read(self, request: web.Request) -> tuple[list[Sent], Upload]:
        """Return what a request sends, and what counts it until `leave`."""
        if request.content_type == MULTIPART:
            return await read_files(request, self._app[UPLOADS])
        body, upload = await self._app[UPLOADS].read(request, limit=MAX_BODY)
        try:
            writes = await asyncio.to_thread(parsed, request, body, WRITES)
        except BaseException:
            upload.leave()
            raise
        return [Sent(write=write) for write in writes], upload


def _page_of(request: web.Request) -> tuple[int, int]:
    skip = number_in(request, "skip", default=0, most=MAX_SKIP)
    return skip, number_in(request, "limit", default=DEFAULT_PAGE, most=PAGE)
