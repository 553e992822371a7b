"""The tables of a report's page: agents side by side, pass^k, and every run with every agent."""

from collections.abc import Callable

from server.engine.replay.figures import Figures, Outcome, Spread
from server.engine.replay.report import Part, RunPlace
from server.engine.replay.report_words import WORDS, model_of
from server.engine.reports.markup import Html, join, tag
from server.engine.reports.tables import milliseconds, money, row, share, table
from server.engine.reports.words import plain

SHOWN_POWERS = (1, 2, 3, 4, 5, 6, 8, 10, 16, 32, 64, 100)
SIGNS: dict[Outcome, str] = {
    "passed": "✓",
    "not_passed": "✗",
    "failed": "failed",
    "ungraded": "–",
    "unfinished": "…",
}
Show = Callable[[Figures], str]
Line = tuple[str, Show]


def figures_table(parts: list[Part]) -> Html:
    """Return the figures of each agent, side by side."""
    lines: list[Line] = [
        ("Passed", lambda f: f"{f.passed} of {f.judged} ({share(f.pass_rate)})" if f.judged else "–"),
        ("Score, mean", lambda f: f"{f.percentage.mean:.1f}%" if f.percentage else "–"),
        ("Score, median", lambda f: f"{f.percentage.median:.1f}%" if f.percentage else "–"),
        ("Failed", lambda f: str(f.outcomes["failed"])),
        ("Not graded", lambda f: str(f.outcomes["ungraded"])),
        ("Not finished", lambda f: str(f.outcomes["unfinished"])),
        ("First token, p50", lambda f: _spread(f.first_token_ms, "p50")),
        ("First token, p95", lambda f: _spread(f.first_token_ms, "p95")),
        ("Whole run, p50", lambda f: _spread(f.duration_ms, "p50")),
        ("Whole run, p95", lambda f: _spread(f.duration_ms, "p95")),
        ("Tokens read", lambda f: f"{f.usage.prompt_tokens:,}"),
        ("Tokens written", lambda f: f"{f.usage.completion_tokens:,}"),
        ("Cost of the replays", lambda f: money(f.usage.cost_usd)),
        ("Cost of the grading", lambda f: money(f.grading.cost_usd)),
        ("Tool calls made", lambda f: str(f.tool_calls.made)),
        ("Tool calls as recorded", lambda f: f"{f.tool_calls.matched} ({share(f.tool_calls.match_rate)})"),
    ]
    rows = [row(name, [show(part.figures) for part in parts]) for name, show in lines]
    return table(["", *(_agent(part) for part in parts)], rows)


def powers_table(parts: list[Part]) -> Html | None:
    """Return pass^k of each agent; None when nothing has been judged."""
    values = [{p.k: p for p in part.figures.pass_k} for part in parts]
    known = [k for k in SHOWN_POWERS if any(k in powers for powers in values)]
    if not known:
        return None
    rows = [row(f"pass^{k}", [share(v[k].value) if k in v else "–" for v in values]) for k in known]
    return table(["", *(_agent(part) for part in parts)], rows)


def runs_table(parts: list[Part]) -> Html:
    """Return a line for each recorded run: what each agent made of it in each cycle."""
    lines: dict[tuple[int, str], list[list[RunPlace]]] = {}
    for column, part in enumerate(parts):
        for place in part.places:
            cells = lines.setdefault((place.position, place.name), [[] for _ in parts])
            cells[column].append(place)
    rows = [
        tag("tr", tag("td", f"{position:03d} {plain(name)}"), *(tag("td", _signs(cell)) for cell in cells))
        for (position, name), cells in sorted(lines.items())
    ]
    return table(["Recorded run", *(_agent(part) for part in parts)], rows, cls="numbers runs")


def _signs(places: list[RunPlace]) -> Html:
    return join(join([_sign(place), " "]) for place in places) if places else Html("")


def _sign(place: RunPlace) -> Html:
    percentage = "" if place.percentage is None else f", {place.percentage:g}%"
    title = f"cycle {place.cycle}: {WORDS[place.outcome]}{percentage}"
    kind = {"passed": "yes", "not_passed": "no", "failed": "no"}.get(place.outcome, "soft")
    return tag("a", SIGNS[place.outcome], href=f"#run-{place.id}", title=title, cls=kind)


def _agent(part: Part) -> Html:
    name = tag("a", plain(part.invocation.agent.name), href=f"#agent-{part.invocation.id}")
    return join([name, tag("div", plain(model_of(part.invocation)), cls="meta")])


def _spread(spread: Spread | None, name: str) -> str:
    return milliseconds(getattr(spread, name)) if spread else "–"
