"""Rows of CSV in which no cell begins a formula."""

import csv
import io
import re
from collections.abc import Iterable

from server.engine.reports.words import plain

INVISIBLE = re.compile(r"^[\s\x00-\x1f\u00ad\u200b-\u200f\u2060\ufeff]+")  # readers may drop these
# What spreadsheets take for the beginning of a formula, also in the wide forms of East Asian keyboards.
FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def safe_cell(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and (value.startswith(FORMULA) or INVISIBLE.sub("", value).startswith(FORMULA)):
        return f"'{value}"
    return value


def csv_line(cells: Iterable[object]) -> str:
    """Return a row in which no cell begins a formula, and none holds control characters."""
    text = io.StringIO(newline="")
    csv.writer(text).writerow([_cell(cell) for cell in cells])
    return text.getvalue()


def _cell(value: object) -> object:
    return safe_cell(plain(value) if isinstance(value, str) else value)
