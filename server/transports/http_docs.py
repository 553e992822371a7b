"""The reference documents over HTTP: /docs, /openapi.json and /asyncapi.json, made when first asked for."""

import asyncio
from importlib.metadata import version

import orjson
from aiohttp import web

from server.transports.documents.asyncapi import asyncapi
from server.transports.documents.openapi import openapi
from server.transports.documents.page import STYLE, page
from server.transports.documents.told import Media, told
from server.transports.files import File, answer

OPENAPI, ASYNCAPI, PAGE, PAGE_STYLE = "openapi.json", "asyncapi.json", "docs.html", "style.css"


class Documents:
    """Makes the documents of an application once, beside the event loop; they never change after that."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._making = asyncio.Lock()
        self._made: dict[str, File] = {}

    async def get(self, name: str) -> File:
        """Return a document. Cancelling is safe."""
        async with self._making:
            if not self._made:
                self._made = await asyncio.to_thread(self._make)
        return self._made[name]

    def _make(self) -> dict[str, File]:
        now = version("greenroom")
        addresses, events = openapi(self._app, version=now), asyncapi(version=now)
        return {
            name: File.of(name, body)
            for name, body in (
                (OPENAPI, orjson.dumps(addresses)),
                (ASYNCAPI, orjson.dumps(events)),
                (PAGE, page(addresses, events).encode()),
                (PAGE_STYLE, STYLE.encode()),
            )
        }


DOCUMENTS = web.AppKey("documents", Documents)


def attach(app: web.Application) -> None:
    """Add the addresses of the documents; to be called when all others are there."""
    app[DOCUMENTS] = Documents(app)
    app.router.add_get("/docs", docs)
    app.router.add_get("/docs/style.css", style)
    app.router.add_get("/openapi.json", openapi_json)
    app.router.add_get("/asyncapi.json", asyncapi_json)


@told(Media("text/html"), is_open=True)
async def docs(request: web.Request) -> web.Response:
    """Answer a page of all addresses and events, to be read."""
    return await _answered(request, PAGE)


@told(Media("text/css"), is_open=True)
async def style(request: web.Request) -> web.Response:
    """Answer the style of the page."""
    return await _answered(request, PAGE_STYLE)


@told(dict[str, object], is_open=True)
async def openapi_json(request: web.Request) -> web.Response:
    """Answer the OpenAPI document of all addresses."""
    return await _answered(request, OPENAPI)


@told(dict[str, object], is_open=True)
async def asyncapi_json(request: web.Request) -> web.Response:
    """Answer the AsyncAPI document of all events."""
    return await _answered(request, ASYNCAPI)


async def _answered(request: web.Request, name: str) -> web.Response:
    return answer(request, await request.app[DOCUMENTS].get(name))
