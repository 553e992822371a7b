"""A batch job as CSV: a row for each result, with the keys of the result as columns."""

from collections.abc import Iterator

import orjson

from schemas.batch import BatchRequest, BatchResult
from server.engine.batch.report import Line, Summary
from server.engine.reports.cells import csv_line
from server.engine.reports.sections import Piece, Sections

COLUMNS = tuple(BatchResult.model_fields)


class CsvReport:
    """Rows in the order of storing; what is no text, number or truth value is JSON, null is empty.

    No cell begins a formula: what could is preceded by an apostrophe.
    """

    def __init__(self, request: BatchRequest) -> None:
        """Take any job."""

    def sections(self) -> int:
        """Return how many sections there may be."""
        return 1

    def add(self, line: Line) -> Iterator[tuple[int, str]]:
        """Return a row."""
        values = line.result.model_dump(mode="json")
        yield 0, csv_line(_cell(values[name]) for name in COLUMNS)

    def document(self, summary: Summary, sections: Sections) -> Iterator[Piece]:
        """Yield the names of the columns, and the rows."""
        yield csv_line(COLUMNS).encode()
        yield from sections.pieces(0)


def _cell(value: object) -> object:
    return orjson.dumps(value).decode() if isinstance(value, bool | list | dict) else value
