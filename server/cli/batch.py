"""`batch`: run a batch job and show how it is doing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import UUID

import aiohttp
import typer

from schemas.batch import MAX_CONCURRENCY
from schemas.envelope import JsonObject
from server.cli.batch_file import read_job, total_of
from server.cli.batch_link import BatchLink, Heard, JobRefused
from server.cli.batch_screen import BatchScreen
from server.cli.failure import Failure
from server.cli.options import DataDir, configure
from server.cli.reports import JSON, JUNIT, check_reports, write_reports
from server.cli.run import INTERRUPTED, SERVERS_END, run
from server.cli.stopping import stoppable
from server.cli.where import Wanted, reached, runs_already, usual
from server.cli.words import print_line, short
from server.settings import Settings

BELOW = 1
REPORTS = (".html", ".csv", JUNIT, JSON)

File = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="A job as YAML or JSON.", show_default=False)
]
Resume = Annotated[
    UUID | None, typer.Option("--resume", help="Follow a job that was started before.", show_default=False)
]
FailUnder = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=100,
        help="Percent of runs that must pass, errors count as not passed; 0 takes any result, and left out "
        "all must pass.",
        show_default=False,
    ),
]
Reports = Annotated[
    list[Path] | None,
    typer.Option("--report", help="Write a report: .html, .csv, .xml (JUnit) or .json; may be repeated."),
]
Concurrency = Annotated[
    int | None,
    typer.Option(min=1, max=MAX_CONCURRENCY, help="Runs at once, instead of the file's.", show_default=False),
]
Mirror = Annotated[
    Path | None,
    typer.Option(
        help="Folder that stands for the network: DIR/<host>/<path>; for a server that this command starts.",
        exists=True,
        file_okay=False,
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the results as JSON lines, and nothing else.")]
Url = Annotated[
    str | None,
    typer.Option(
        envvar="GREENROOM_URL", help="Where the server runs; by GREENROOM_HOST and PORT.", show_default=False
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        envvar="GREENROOM_TOKEN",
        help="A token or API key, instead of an author's token of the data directory.",
        show_default=False,
    ),
]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be run and shown."""

    job: str | None
    job_id: str | None
    fail_under: float | None
    reports: list[Path]
    as_json: bool


def batch(
    file: File = None,
    resume: Resume = None,
    fail_under: FailUnder = None,
    report: Reports = None,
    concurrency: Concurrency = None,
    mirror: Mirror = None,
    as_json: AsJson = False,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = None,
) -> None:
    """Run a batch job on a running server, or on one that is started for it; exit code 1 when runs fail.

    Ctrl-C cancels the job and shows what there is; a second one leaves at once.
    """
    if (file is None) == (resume is None):
        raise Failure("give the FILE of a job to run it, or --resume with the id of one that was started")
    if resume and concurrency:
        raise Failure("--concurrency is for a job that begins; it stays as it is for one that was started")
    check_reports(report or [], formats=REPORTS)
    settings = configure(data_dir=data_dir, log_level="error")
    asked = Asked(
        job=read_job(file, concurrency=concurrency) if file else None,
        job_id=str(resume) if resume else None,
        fail_under=fail_under,
        reports=report or [],
        as_json=as_json,
    )
    own = {"url_mirror": mirror.absolute() if mirror else settings.url_mirror}
    wanted = Wanted(url=url, token=token, what="jobs", probe="/api/jobs?limit=1", own=own)
    run(_batch(settings, asked, wanted, mirrored=mirror is not None), within=SERVERS_END)


async def _batch(settings: Settings, asked: Asked, wanted: Wanted, *, mirrored: bool) -> int:
    screen = BatchScreen(quiet=asked.as_json)
    own = not await runs_already(settings, wanted)
    if own:
        screen.note(f"no server runs at {usual(settings, wanted)}: one is started for this job")
    elif mirrored:
        raise Failure(
            f"a server runs at {usual(settings, wanted)}, and --mirror is for one that this command starts: "
            "stop that one, or start it with GREENROOM_URL_MIRROR"
        )
    async with reached(settings, wanted, own=own) as server:
        http = server.http
        link = BatchLink(http, job=asked.job, job_id=asked.job_id)
        with screen.showing(await _total(http, asked), job=asked.job):
            summary = await _stoppable(link, screen, as_json=asked.as_json)
        screen.summary(summary.data)
        await write_reports(http, asked.reports, of=f"/api/jobs/{summary.data['job_id']}", data=summary.data)
    if link.is_cancelling:
        return INTERRUPTED
    if reason := unfinished(summary.data):
        raise Failure(reason, code=BELOW)
    return code_of(summary.data, asked.fail_under)


async def _stoppable(link: BatchLink, screen: BatchScreen, *, as_json: bool) -> Heard:
    """Return the summary of a job; the first Ctrl-C cancels the job, and the second this."""

    def heard(message: Heard) -> None:
        screen.result(message.data)
        if as_json:
            print_line(message.text, unread=f"nobody reads the results any more{link.hint()}")

    async def stop() -> None:
        screen.note("cancelling the job; Ctrl-C again leaves at once")
        await link.cancel()

    return await stoppable(_follow(link, heard), stop)


async def _follow(link: BatchLink, heard: Callable[[Heard], None]) -> Heard:
    try:
        return await link.follow(heard)
    except JobRefused as refused:
        raise Failure(_refusal(refused)) from refused


def _refusal(refused: JobRefused) -> str:
    """Say every problem once: the server's own sentence is the first of several."""
    if len(refused.problems) < 2:
        return f"the job is refused: {''.join(refused.problems) or refused}"
    return "\n  ".join([f"the job is refused, {len(refused.problems)} problems:", *refused.problems])


async def _total(http: aiohttp.ClientSession, asked: Asked) -> int | None:
    """Return how many runs the job has; raises Failure when there is no such job."""
    if asked.job is not None:
        return total_of(asked.job)
    async with http.get(f"/api/jobs/{asked.job_id}") as response:
        if response.status == 404:
            raise Failure(f"there is no job {asked.job_id}")
        response.raise_for_status()
        total: int = (await response.json())["total_runs"]
        return total


def code_of(summary: JsonObject, fail_under: float | None) -> int:
    """Return the exit code: 0 when enough runs of a completed job have passed; errors have not."""
    runs, failed = summary["summary"]["total_test_cases"], summary["summary"]["failed_cases"]
    if fail_under is None:
        return BELOW if failed else 0
    return BELOW if 100 * (runs - failed) < fail_under * runs else 0  # not by the accuracy, which is rounded


def unfinished(summary: JsonObject) -> str | None:
    """Say why a job has not done all of its runs, None for one that has."""
    status = summary["status"]
    if status == "completed":
        return None
    runs = summary["summary"]["total_test_cases"]
    reason = (summary.get("error") or {}).get("message") or "somebody has stopped it"
    return f"the job is {status}, with {runs} results: {short(reason)}"
