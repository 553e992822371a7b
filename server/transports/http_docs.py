"""The reference documents over HTTP: /docs, /openapi.json and /asyncapi.json, made when first asked for."""

import asyncio
import hashlib
from dataclasses import dataclass
from importlib.metadata import version

import orjson
from aiohttp import web

from server.transports.documents.asyncapi import asyncapi
from server.transports.documents.openapi import openapi
from server.transports.documents.page import STYLE, page
from server.transports.documents.told import Media, told

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
HTML, CSS, JSON = "text/html", "text/css", "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as it is sent."""

    body: bytes
    content_type: str
    tag: str


class Documents:
    """Makes the documents of an application once, beside the event loop; they never change after that."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._making = asyncio.Lock()
        self._made: dict[str, Document] = {}

    async def get(self, name: str) -> Document:
        """Return a document. Cancelling is safe."""
        async with self._making:
            if not self._made:
                self._made = await asyncio.to_thread(self._make)
        return self._made[name]

    def _make(self) -> dict[str, Document]:
        now = version("greenroom")
        addresses, events = openapi(self._app, version=now), asyncapi(version=now)
        return {
            "openapi": _document(orjson.dumps(addresses), JSON),
            "asyncapi": _document(orjson.dumps(events), JSON),
            "page": _document(page(addresses, events).encode(), HTML),
            "style": _document(STYLE.encode(), CSS),
        }


DOCUMENTS = web.AppKey("documents", Documents)


def attach(app: web.Application) -> None:
    """Add the addresses of the documents; to be called when all others are there."""
    app[DOCUMENTS] = Documents(app)
    app.router.add_get("/docs", docs)
    app.router.add_get("/docs/style.css", style)
    app.router.add_get("/openapi.json", openapi_json)
    app.router.add_get("/asyncapi.json", asyncapi_json)


@told(Media(HTML), is_open=True)
async def docs(request: web.Request) -> web.Response:
    """Answer a page of all addresses and events, to be read."""
    return await _answered(request, "page")


@told(Media(CSS), is_open=True)
async def style(request: web.Request) -> web.Response:
    """Answer the style of the page."""
    return await _answered(request, "style")


@told(dict[str, object], is_open=True)
async def openapi_json(request: web.Request) -> web.Response:
    """Answer the OpenAPI document of all addresses."""
    return await _answered(request, "openapi")


@told(dict[str, object], is_open=True)
async def asyncapi_json(request: web.Request) -> web.Response:
    """Answer the AsyncAPI document of all events."""
    return await _answered(request, "asyncapi")


async def _answered(request: web.Request, name: str) -> web.Response:
    document = await request.app[DOCUMENTS].get(name)
    headers = {**HEADERS, "ETag": f'"{document.tag}"'}
    if any(known.value in (document.tag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(
        body=document.body, content_type=document.content_type, charset="utf-8", headers=headers
    )


def _document(body: bytes, content_type: str) -> Document:
    return Document(body=body, content_type=content_type, tag=hashlib.sha256(body).hexdigest()[:32])
