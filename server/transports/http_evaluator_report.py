"""Reports of a result: a page to read and print, and JUnit XML."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from server.engine.evaluator.reports.html import HtmlReport
from server.engine.evaluator.reports.junit import JunitReport
from server.engine.evaluator.reports.report import ResultReports, Writer
from server.transports import keys
from server.transports.documents.told import Media, told
from server.transports.http_evaluator_requests import caller_of, id_of, route
from server.transports.http_report import report_headers, send_report


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a report is written and typed, and whether browsers show it or save it."""

    writer: Callable[[int], Writer]
    content_type: str
    shown: bool = False


FORMATS: dict[str, Format] = {
    "html": Format(writer=HtmlReport, content_type="text/html", shown=True),
    "junit.xml": Format(writer=JunitReport, content_type="application/xml"),
}


def attach(app: web.Application) -> None:
    """Add the addresses of reports."""
    reports = HttpResultReport(app)
    route(app, "GET", "results", "/{id:[0-9]+}/report.{format:html|junit\\.xml}", reports.report)


class HttpResultReport:
    """The handler of reports."""

    def __init__(self, app: web.Application) -> None:
        self._reports = ResultReports(app[keys.STORE])

    @told((Media("text/html"), Media("application/xml")))
    async def report(self, request: web.Request) -> web.StreamResponse:
        """Answer a report of what a result came to so far; it is whole before its first byte is sent."""
        caller = await caller_of(request)
        number, name = id_of(request), request.match_info["format"]
        chosen = FORMATS[name]
        spool = await self._reports.write(caller, number, chosen.writer)
        headers = report_headers(f"result-{number}.{name}", chosen.content_type, shown=chosen.shown)
        try:
            return await send_report(request, spool, headers)
        finally:
            spool.close()
