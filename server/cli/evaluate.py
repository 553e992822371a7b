"""`evaluate`: call an agent as the scenarios of a file say, and show how it is doing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import orjson
import typer

from schemas.envelope import JsonObject
from server.cli.batch import AsJson, Token, Url
from server.cli.evaluate_figures import word_of
from server.cli.evaluate_file import Evaluation, read_evaluation
from server.cli.evaluate_link import EvaluateLink
from server.cli.evaluate_making import API, Made, Maker
from server.cli.evaluate_screen import EvaluateScreen
from server.cli.options import DataDir, configure
from server.cli.reports import JSON, JUNIT, check_reports, write_reports
from server.cli.run import INTERRUPTED, SERVERS_END, run
from server.cli.stopping import stoppable
from server.cli.where import Reached, Wanted, reached, runs_already, usual
from server.cli.words import print_line
from server.settings import Settings

BELOW = 1
REPORTS = (".html", JUNIT, JSON)
MOST_REASONS = 20
MOST_REPEATED = 100

Agent = Annotated[str, typer.Option("--agent", help="The agent's WebSocket, such as ws://127.0.0.1:8765.")]
Scenarios = Annotated[
    Path, typer.Option("--scenarios", metavar="FILE", help="Scenarios as YAML or JSON.", show_default=False)
]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", help="Only scenarios that have this tag; may be repeated.")
]
Freq = Annotated[int, typer.Option(min=1, max=MOST_REPEATED, help="How often each scenario is run.")]
Concurrency = Annotated[int | None, typer.Option(min=1, help="Calls at once.", show_default=False)]
FailUnder = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=100,
        help="Percent of runs that must succeed, those in which our caller erred left out; 0 takes any "
        "result, and left out all must succeed.",
        show_default=False,
    ),
]
Reports = Annotated[
    list[Path] | None,
    typer.Option("--report", help="Write a report: .html, .xml (JUnit) or .json; may be repeated."),
]
Keep = Annotated[
    bool, typer.Option("--keep", help="Leave the agent, scenarios and metrics of the file on the server.")
]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be run and shown."""

    file: Path
    evaluation: Evaluation
    freq: int
    concurrency: int | None
    fail_under: float | None
    reports: list[Path]
    as_json: bool
    keep: bool


def evaluate(
    agent: Agent,
    scenarios: Scenarios,
    tag: Tags = None,
    freq: Freq = 1,
    concurrency: Concurrency = None,
    fail_under: FailUnder = None,
    report: Reports = None,
    keep: Keep = False,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = None,
) -> None:
    """Call an agent as scenarios say, on a running server or on one that is started for it.

    Exit code 1 when runs fail. The result stays on the server; what it was made of goes, unless --keep.
    Ctrl-C ends the calls and shows what there is; a second one leaves at once.
    """
    check_reports(report or [], formats=REPORTS)
    settings = configure(data_dir=data_dir, log_level="error")
    asked = Asked(
        file=scenarios,
        evaluation=read_evaluation(scenarios, agent_url=agent, tags=tag or []),
        freq=freq,
        concurrency=concurrency,
        fail_under=fail_under,
        reports=report or [],
        as_json=as_json,
        keep=keep,
    )
    # an agent that is named here may be called, wherever it is
    own = {"private_urls": True if settings.private_urls is None else settings.private_urls}
    probe = f"{API}/aiagents/?page_size=1"
    wanted = Wanted(url=url, token=token, what="evaluators", probe=probe, own=own)
    run(_evaluate(settings, asked, wanted), within=SERVERS_END)


async def _evaluate(settings: Settings, asked: Asked, wanted: Wanted) -> int:
    screen = EvaluateScreen(quiet=asked.as_json)
    own = not await runs_already(settings, wanted)
    if own:
        screen.note(f"no server runs at {usual(settings, wanted)}: one is started for this evaluation")
    async with reached(settings, wanted, own=own) as server, _made(server, asked, screen) as made:
        link = EvaluateLink(server)
        unjudged = asked.evaluation.unjudged
        screen.unjudged(unjudged, was=False)
        result = await _follow(link, screen, asked=asked, made=made)
        await _show(link, screen, result, as_json=asked.as_json)
        screen.unjudged(unjudged, was=True)
        screen.note(_kept("" if own else server.url, link.address))
        await write_reports(server.http, asked.reports, of=link.address, data=result)
    return INTERRUPTED if link.is_cancelling else code_of(result, asked.fail_under)


@asynccontextmanager
async def _made(server: Reached, asked: Asked, screen: EvaluateScreen) -> AsyncIterator[Made]:
    """Make what the file names, and remove it at the end."""
    maker = Maker(server.http)
    try:
        yield await maker.make(asked.evaluation, asked.file)
    finally:
        if not asked.keep and (left := await maker.remove()):
            screen.note(f"these stay on the server: {', '.join(left)}")


async def _follow(link: EvaluateLink, screen: EvaluateScreen, *, asked: Asked, made: Made) -> JsonObject:
    """Start the runs and return the result once all have ended; the first Ctrl-C ends the calls."""
    body: JsonObject = {"agent_id": made.agent, "scenarios": list(made.scenarios), "freq": asked.freq}
    body["name"] = asked.evaluation.name
    if asked.concurrency is not None:
        body["concurrency_limit"] = asked.concurrency
    runs = await link.start(body)

    async def stop() -> None:
        screen.note("ending the calls; Ctrl-C again leaves at once")
        await link.cancel()

    with screen.showing({run["id"]: _name(run, made) for run in runs}):
        return await stoppable(link.follow(screen.hear), stop)


def _name(run: JsonObject, made: Made) -> str:
    name = made.scenarios[run["scenario"]]
    return f"{name} #{run['number']}" if run["number"] else name


async def _show(link: EvaluateLink, screen: EvaluateScreen, result: JsonObject, *, as_json: bool) -> None:
    """Show why runs have not succeeded, or all runs as JSON, and then what it came to."""
    shown = 0
    async for one in link.runs():
        if as_json:
            unread = f"nobody reads the runs any more; see GET {link.address}/"
            print_line(orjson.dumps(one).decode(), unread=unread)
        if word_of(one) != "succeeded":
            shown += 1
            if shown <= MOST_REASONS:
                screen.reason(one)
    if shown > MOST_REASONS:
        screen.note(f"… and {shown - MOST_REASONS} more that have not succeeded")
    screen.summary(result)


def _kept(url: str, address: str) -> str:
    """Say where the result is, and how it is read later; without `url` this command's own server had it."""
    first = "" if url else "start a server with the same data (python -m server serve), and "
    return (
        f"the result is kept: {first}GET {url}{address}/ or {url}{address}/report.html with an author's key"
    )


def code_of(result: JsonObject, fail_under: float | None) -> int:
    """Return the exit code: 0 when enough runs have succeeded, of those in which our caller did not err."""
    if result["status"] != "completed":
        return BELOW  # the summary has said so
    runs = result["total_runs_count"] - result["simulator_errors_count"]
    wanted = 100.0 if fail_under is None else fail_under
    if not runs:
        return BELOW if wanted else 0  # nothing was learnt of the agent
    return BELOW if 100 * result["success_runs_count"] < wanted * runs else 0
