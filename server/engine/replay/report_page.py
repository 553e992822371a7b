"""A report as one page to read and to print: agents side by side, each replay beside what was recorded."""

from pathlib import Path

from schemas.test import Invocation, Recording, Run
from server.engine.replay.figures import latest_grade, outcome_of, run_figures
from server.engine.replay.report import Part, Summary
from server.engine.replay.report_beside import Talks
from server.engine.replay.report_tables import figures_table, powers_table, runs_table
from server.engine.replay.report_words import WORDS, model_of, score_of, title_of
from server.engine.reports.markup import Html, escape, join, tag
from server.engine.reports.page import REPORT_STYLE, closing, moment, opening, result
from server.engine.reports.tables import milliseconds, money
from server.engine.reports.words import plain

OWN_STYLE = Html(Path(__file__).with_suffix(".css").read_text())

POWERS = (
    "pass^k is the chance that k replays of one recorded run, taken from its cycles, all pass; "
    "the mean over the recorded runs that were judged at least k times."
)
TIRED = "There is much to compare: words that differ are marked in the first runs only."


class PageReport:
    """A whole HTML document that loads nothing; every text in it is escaped."""

    talks = True
    recordings = False
    between = ""

    def __init__(self) -> None:
        self._talks = Talks()

    def opening(self, summary: Summary) -> str:
        """Return the head of the page with its tables."""
        name = plain(summary.test.benchmark.name)
        body = join(
            [
                tag("h1", name),
                tag("p", _about(summary), cls="meta"),
                tag("p", TIRED, cls="meta") if self._talks.tired else None,
                *_tables(summary),
            ]
        )
        return opening(f"{name} – test", REPORT_STYLE, OWN_STYLE, body=body) + "\n"

    def invocation(self, summary: Summary, part: Part) -> str:
        """Return the heading of an agent."""
        invocation = part.invocation
        mode = "every turn" if invocation.mode == "auto_regressive" else "the last turn"
        about = f"{plain(model_of(invocation))} · {mode} replayed · {part.figures.runs} runs"
        head = join(
            [tag("h2", plain(invocation.agent.name)), tag("p", about, cls="meta"), _instructions(invocation)]
        )
        return f'<section class="chat" id="agent-{escape(invocation.id)}">{head}\n'

    def run(self, invocation: Invocation, run: Run, recording: Recording | None) -> str:
        """Return a run with its grade and its transcript."""
        return (
            tag(
                "section",
                tag("h3", plain(title_of(run)), " ", verdict(run)),
                tag("p", _numbers(run), cls="meta"),
                _failure(run),
                _grade(run),
                self._talks.talk(recording, run) if run.result else None,
                cls="run",
                id=f"run-{run.id}",
            )
            + "\n"
        )

    def invocation_end(self) -> str:
        """Close an agent."""
        return "</section>\n"

    def middle(self) -> str:
        """Return nothing."""
        return ""

    def recording(self, recording: Recording) -> str:
        """Return nothing: recorded runs are shown beside their replays."""
        return ""

    def closing(self, summary: Summary) -> str:
        """Close the page."""
        return closing(f"Test {summary.test.id} · exported {moment(summary.made_at)}")


def verdict(run: Run) -> Html:
    """Return what a run came to."""
    outcome = outcome_of(run)
    if outcome in ("passed", "not_passed"):
        return result(passed=outcome == "passed")
    return tag("span", WORDS[outcome], cls="chip no" if outcome == "failed" else "chip soft")


def _about(summary: Summary) -> str:
    test = summary.test
    parts = [f"{summary.figures.runs} runs", f"begun {moment(test.created_at)}"]
    if test.ended_at:
        parts.append(f"ended {moment(test.ended_at)}")
    if summary.figures.cycles > 1:
        parts.append(f"{summary.figures.cycles} cycles")
    unfinished = summary.figures.outcomes["unfinished"]
    if unfinished:
        parts.append(f"{unfinished} not finished yet")
    return " · ".join(parts)


def _tables(summary: Summary) -> list[Html | None]:
    if not summary.figures.runs:
        return [tag("p", "There are no runs.")]
    powers = powers_table(summary.parts)
    return [
        tag("h3", "Agents"),
        figures_table(summary.parts),
        tag("h3", "All of k replays passed") if powers else None,
        tag("p", POWERS, cls="meta") if powers else None,
        powers,
        tag("h3", "Runs"),
        runs_table(summary.parts),
    ]


def _instructions(invocation: Invocation) -> Html | None:
    text = plain(invocation.agent.instructions)
    return tag("div", text, cls="task text", dir="auto") if text else None


def _numbers(run: Run) -> str:
    figures = run_figures(run)
    if run.result is None:
        return run.state
    parts = [
        f"first token after {milliseconds(figures.first_token_ms)}" if figures.first_token_ms else None,
        f"{milliseconds(figures.duration_ms)} in all",
        f"{figures.prompt_tokens} tokens read, {figures.completion_tokens} written",
        money(figures.cost_usd) if figures.cost_usd is not None else None,
        f"{figures.matched_calls} of {figures.tool_calls} tool calls as recorded"
        if figures.tool_calls
        else None,
    ]
    return " · ".join(part for part in parts if part)


def _failure(run: Run) -> Html | None:
    text = run.result.error if run.result else None
    return tag("p", plain(text), cls="warning") if text else None


def _grade(run: Run) -> Html | None:
    grade = latest_grade(run)
    if grade is None:
        return None
    rows = [
        tag(
            "tr",
            tag("td", plain(group.name)),
            tag("td", f"{group.points:g} of {group.total_points:g}", cls="points"),
            tag("td", plain(group.feedback), cls="text", dir="auto"),
        )
        for group in grade.groups
    ]
    heads = [tag("th", name, scope="col") for name in ("Criterion", "Points", "Feedback")]
    return join(
        [
            tag("p", plain(grade.description) or score_of(grade), cls="text", dir="auto"),
            tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows)),
        ]
    )
