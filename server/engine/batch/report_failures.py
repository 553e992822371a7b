"""What a batch job's page says of one result that did not pass."""

from collections.abc import Iterable

from schemas.batch import BatchRequest, BatchResult
from server.engine.batch.report import Line
from server.engine.batch.report_words import chosen, expected, notes
from server.engine.reports.markup import Html, join, tag
from server.engine.reports.words import cut, plain

MAX_FAILURES = 500


def failure(line: Line, request: BatchRequest) -> Html:
    """Return a result beside what was expected."""
    result = line.result
    where = f"{result.test_case_name} · {result.permutation_name} · {result.language}"
    verdict = "failed" if result.verdict == "Failed" else "error"
    rows = [
        _row("Prompt", _text(result.prompt)),
        _row("As written", _text(result.source_prompt)) if result.source_prompt != result.prompt else None,
        _row("Expected", _calls(expected(line.case, request))),
        _row("Chosen", _calls(chosen(result))),
        _row("Final output", _text(result.final_output)) if result.final_output is not None else None,
        _row("Error", _text(_error(result))) if result.error else None,
    ]
    return tag(
        "section",
        tag("h3", plain(where), " ", tag("span", verdict, cls="chip no")),
        tag(
            "p",
            f"{result.permutation_summary} · {result.test_type} · {' · '.join(notes(line, request))}",
            cls="meta",
        ),
        tag("table", tag("tbody", *rows), cls="beside"),
        cls="run",
        id=f"result-{result.index}",
    )


def _row(name: str, value: Html) -> Html:
    return tag("tr", tag("th", name, scope="row"), tag("td", value))


def _text(text: str | None) -> Html:
    return tag("div", plain(cut(text or "")), cls="text", dir="auto")


def _calls(lines: Iterable[str]) -> Html:
    return join(tag("div", plain(cut(line)), cls="call") for line in lines)


def _error(result: BatchResult) -> str:
    return f"{result.error.code}: {result.error.message}" if result.error else ""
