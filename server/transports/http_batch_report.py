"""Reports of a batch job: a page to read and print, CSV, and JUnit XML."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from schemas.batch import BatchRequest
from server.engine.batch.report import JobReports, Writer
from server.engine.batch.report_csv import CsvReport
from server.engine.batch.report_html import HtmlReport
from server.engine.batch.report_junit import JunitReport
from server.transports import keys
from server.transports.documents.told import Media, told
from server.transports.http_query import id_of
from server.transports.http_report import report_headers, send_report
from server.transports.http_requests import identify


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a report is written and typed, and whether browsers show it or save it."""

    writer: Callable[[BatchRequest], Writer]
    content_type: str
    shown: bool = False


FORMATS: dict[str, Format] = {
    "html": Format(writer=HtmlReport, content_type="text/html", shown=True),
    "csv": Format(writer=CsvReport, content_type="text/csv"),
    "junit.xml": Format(writer=JunitReport, content_type="application/xml"),
}


def attach(app: web.Application) -> None:
    """Add the addresses of reports."""
    reports = HttpBatchReport(app)
    app.router.add_get("/api/jobs/{id}/report.{format:html|csv|junit\\.xml}", reports.report)


class HttpBatchReport:
    """The handler of reports."""

    def __init__(self, app: web.Application) -> None:
        self._batches = app[keys.BATCHES]
        self._reports = JobReports(app[keys.STORE])

    @told((Media("text/html"), Media("text/csv"), Media("application/xml")))
    async def report(self, request: web.Request) -> web.StreamResponse:
        """Answer a report of what a job came to so far; it is whole before its first byte is sent."""
        job = await self._batches.get(await identify(request), id_of(request))
        name = request.match_info["format"]
        chosen = FORMATS[name]
        spool = await self._reports.write(job, chosen.writer)
        headers = report_headers(f"job-{job.id}.{name}", chosen.content_type, shown=chosen.shown)
        try:
            return await send_report(request, spool, headers)
        finally:
            spool.close()
