"""Reports of a test: JSON, CSV, JUnit XML, and a page to read and print (socket-v5 §9)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from schemas.envelope import Id, JsonObject
from server.engine.replay.reading import ReplayReading
from server.engine.replay.report import Reports, Writer
from server.engine.replay.report_csv import CsvReport
from server.engine.replay.report_json import JsonReport
from server.engine.replay.report_junit import JunitReport
from server.engine.replay.report_page import PageReport
from server.engine.reports.page import POLICY
from server.engine.spool import Spool
from server.transports import keys
from server.transports.documents.query import Number
from server.transports.documents.told import Media, told
from server.transports.http_query import choice_of, id_of, id_of_query, number_of
from server.transports.http_requests import identify


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a report is written, named and typed, and whether browsers show it or save it."""

    writer: Callable[[], Writer]
    extension: str
    content_type: str
    shown: bool = False


FORMATS: dict[str, Format] = {
    "json": Format(writer=JsonReport, extension="json", content_type="application/json"),
    "csv": Format(writer=CsvReport, extension="csv", content_type="text/csv"),
    "junit": Format(writer=JunitReport, extension="xml", content_type="application/xml"),
    "html": Format(writer=PageReport, extension="html", content_type="text/html", shown=True),
}


def attach(app: web.Application) -> None:
    """Add the address of reports."""
    store = app[keys.STORE]
    reports = HttpReport(Reports(ReplayReading(store, app[keys.HUB]), store.replays))
    app.router.add_get("/api/v1/tests/{id}/report", reports.report)


class HttpReport:
    """The handler of reports."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    @told(
        (JsonObject, Media("text/csv"), Media("application/xml"), Media("text/html")),
        query={"format": Literal["json", "csv", "junit", "html"], "invocation_id": Id, "cycle": Number},
    )
    async def report(self, request: web.Request) -> web.StreamResponse:
        """Answer a test's report; it is whole before its first byte is sent, so errors come as errors."""
        caller = await identify(request)
        chosen = choice_of(request, "format", FORMATS) or FORMATS["json"]
        report = await self._reports.write(
            caller,
            id_of(request),
            chosen.writer(),
            invocation_id=id_of_query(request, "invocation_id"),
            cycle=number_of(request, "cycle"),
        )
        name = f"test-{report.test_id}.{chosen.extension}"
        headers = report_headers(name, chosen.content_type, shown=chosen.shown)
        try:
            return await send_report(request, report, headers)
        finally:
            report.close()


async def send_report(request: web.Request, report: Spool, headers: dict[str, str]) -> web.StreamResponse:
    """Send a report that is whole; the caller closes it."""
    response = web.StreamResponse(headers=headers)
    response.content_length = report.size
    await response.prepare(request)
    if request.method != "HEAD":
        async for chunk in report.chunks():
            await response.write(chunk)
    await response.write_eof()
    return response


def report_headers(filename: str, content_type: str, *, shown: bool) -> dict[str, str]:
    """Return the headers of a report, which browsers show or save."""
    disposition = "inline" if shown else "attachment"
    return {
        "Content-Type": f"{content_type}; charset=utf-8",
        "Content-Disposition": f'{disposition}; filename="{filename}"',
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "private, no-store",
    }
