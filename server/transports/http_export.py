"""Exports of an attempt: JSON, CSV, and a page to read and print (socket-v5 §10)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from schemas.attempt import Attempt, Chat
from schemas.envelope import Id, JsonObject
from server.engine.attempts.export import to_csv, to_json
from server.engine.attempts.export_page import to_page
from server.engine.attempts.reading import Reading
from server.engine.reports.page import POLICY
from server.errors import BadRequest
from server.transports import keys
from server.transports.documents.told import Media, told
from server.transports.http_query import id_of
from server.transports.http_requests import identify


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How an export is written, and whether browsers show it or save it."""

    write: Callable[[Attempt, list[Chat]], bytes]
    content_type: str
    shown: bool = False


FORMATS: dict[str, Format] = {
    "json": Format(write=to_json, content_type="application/json"),
    "csv": Format(write=to_csv, content_type="text/csv"),
    "html": Format(write=to_page, content_type="text/html", shown=True),
}


def attach(app: web.Application) -> None:
    """Add the address of exports."""
    exports = HttpExport(Reading(app[keys.STORE], app[keys.HUB]))
    app.router.add_get("/api/v1/attempts/{id}/export", exports.export)


class HttpExport:
    """The handler of exports."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    @told(
        (JsonObject, Media("text/csv"), Media("text/html")), query={"format": Literal["json", "csv", "html"]}
    )
    async def export(self, request: web.Request) -> web.Response:
        """Answer an attempt with everything that was said in it, as a file or a page."""
        caller = await identify(request)
        name = request.query.get("format", "json")
        chosen = FORMATS.get(name)
        if chosen is None:
            raise BadRequest(f"format: one of {', '.join(FORMATS)} is needed.")
        attempt, chats = await self._reading.whole(caller, id_of(request))
        return web.Response(
            body=await asyncio.to_thread(chosen.write, attempt, chats),  # long talks take long to write
            content_type=chosen.content_type,
            charset="utf-8",
            headers=_headers(attempt.id, name, shown=chosen.shown),
        )


def _headers(attempt_id: Id, extension: str, *, shown: bool) -> dict[str, str]:
    disposition = "inline" if shown else "attachment"
    return {
        "Content-Disposition": f'{disposition}; filename="attempt-{attempt_id}.{extension}"',
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "private, no-store",
    }
