"""Tables of a report's page, and figures as people read them."""

from server.engine.reports.markup import Html, tag


def milliseconds(value: float | None) -> str:
    """Return a time for people."""
    if value is None:
        return "–"
    return f"{value / 1000:.2f} s" if value >= 1000 else f"{value:.0f} ms"


def money(value: float | None) -> str:
    """Return a price in dollars."""
    return "unknown" if value is None else f"${value:.4g}"


def share(value: float | None) -> str:
    """Return a share of one as a percentage."""
    return "–" if value is None else f"{value * 100:.1f}%"


def row(name: str, cells: list[str]) -> Html:
    """Return a line of a table with its heading."""
    return tag("tr", tag("th", name, scope="row"), *(tag("td", cell) for cell in cells))


def table(heads: list[str | Html], rows: list[Html], *, cls: str = "numbers") -> Html:
    """Return a table that scrolls sideways when it is wide."""
    head = tag("tr", *(tag("th", text, scope="col") for text in heads))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows), cls=cls), cls="wide")
