"""The frame of every page that is exported: it loads nothing, and prints well."""

from datetime import datetime
from pathlib import Path

from server.engine.reports.markup import Html, escape, join, tag

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = Html(Path(__file__).with_suffix(".css").read_text())
REPORT_STYLE = Html(Path(__file__).with_name("report.css").read_text())


def opening(title: str, *styles: Html, body: Html) -> str:
    """Return a page up to the end of what stands in `body`; more may follow before `closing`."""
    head = join(
        [
            Html('<meta charset="utf-8">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'),
            tag("title", title),
            tag("style", STYLE, *styles),
        ]
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body}'


def closing(footer: str) -> str:
    """Return the end of a page."""
    return f"{tag('footer', footer)}</body></html>\n"


def moment(time: datetime) -> str:
    """Return a time for people, in UTC."""
    return f"{time.day} {time:%B %Y, %H:%M} UTC"


def result(*, passed: bool) -> Html:
    """Return whether something was passed."""
    return tag("span", "passed" if passed else "not passed", cls="chip yes" if passed else "chip no")
