"""`import-runs`: recorded conversations into a benchmark."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from schemas.content import ContentKind
from schemas.envelope import Id
from server.cli.failure import Failure
from server.cli.options import DataDir, Org, configure
from server.cli.parts import opened_store
from server.cli.run import run
from server.engine.recordings.importing import Imported, Wanted, import_recordings
from server.engine.recordings.reading import read_recordings
from server.engine.recordings.record import BadRecord, Recording
from server.settings import Settings
from server.store import Store

MOST_SHOWN = 50  # bad records that are told one by one

File = Annotated[Path, typer.Argument(help="OpenAI chat JSON Lines, ShareGPT, or an exported attempt.")]
Name = Annotated[
    str | None,
    typer.Option(help="Name of the benchmark that is made; the file's name by default.", show_default=False),
]
Into = Annotated[
    str | None,
    typer.Option("--benchmark", help="Id or name of a benchmark to extend.", show_default=False),
]
Rubric = Annotated[
    str | None, typer.Option("--rubric", help="Id or name of the rubric of its replays.", show_default=False)
]
Agents = Annotated[
    list[str] | None,
    typer.Option("--agent", help="Id or name of an agent to test; may be repeated.", show_default=False),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Import the good records although there are bad ones.")
]


def import_runs(
    file: File,
    benchmark: Into = None,
    name: Name = None,
    rubric: Rubric = None,
    agent: Agents = None,
    skip_bad: SkipBad = False,
    org: Org = "default",
    data_dir: DataDir = None,
) -> None:
    """Import recorded conversations into a benchmark, each once however often it is imported.

    Every bad record is told with its line and reason; then nothing is imported, unless --skip-bad.
    """
    if benchmark is not None and name is not None:
        raise Failure("--benchmark extends a benchmark, --name names a new one: give one of them")
    settings = configure(data_dir=data_dir, log_level="error")
    recordings = read_file(file, skip_bad=skip_bad)
    asked = Asked(benchmark=benchmark, name=name or file.stem, rubric=rubric, agents=agent or [])
    run(_import(recordings, asked, settings=settings, org=org))


class Asked:
    """What the options name, by id or by name."""

    def __init__(self, *, benchmark: str | None, name: str, rubric: str | None, agents: list[str]) -> None:
        self.benchmark = benchmark
        self.name = name
        self.rubric = rubric
        self.agents = agents


async def _import(recordings: Sequence[Recording], asked: Asked, *, settings: Settings, org: str) -> None:
    async with opened_store(settings) as store:
        await store.prepare()
        wanted = Wanted(
            benchmark_id=await _find(store, "benchmark", asked.benchmark, org=org)
            if asked.benchmark
            else None,
            name=asked.name[:200],
            rubric_id=await _find(store, "rubric", asked.rubric, org=org) if asked.rubric else None,
            agent_ids=[await _find(store, "agent", name, org=org) for name in asked.agents],
        )
        for line in lines_of(await import_recordings(store, recordings, wanted=wanted, org=org)):
            print(line)


def read_file(path: Path, *, skip_bad: bool) -> list[Recording]:
    """Return the good records of a file; tells the bad ones, and raises Failure for them unless skipped."""
    try:
        with path.open("rb") as file:
            found = list(read_recordings(file))
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}", code=1) from error
    bad = [record for record in found if isinstance(record, BadRecord)]
    good = [record for record in found if isinstance(record, Recording)]
    told = [f"{path}:{record.line}: {record.message}" for record in bad[:MOST_SHOWN]]
    if len(bad) > MOST_SHOWN:
        told.append(f"… and {len(bad) - MOST_SHOWN} more")
    if not good:
        raise Failure("\n".join(told) or f"{path}: there are no records in this file", code=1)
    if bad and not skip_bad:
        hint = f"nothing was imported; --skip-bad imports the other {len(good)}"
        raise Failure("\n".join([*told, hint]), code=1)
    for line in told:
        print(f"greenroom: skipped {line}", file=sys.stderr)
    return good


def lines_of(done: Imported) -> list[str]:
    """Return what was done, in a line for each thing."""
    counts = f"{_some(done.added, 'run')} added, {done.read - done.added} known already, {done.total} in all"
    lines = [f"{done.name}: {counts}; benchmark {done.benchmark_id}"]
    if done.made_agent:
        lines.append(f"made the agent “{done.made_agent}” for the configured model, because none was named")
    if done.tools_added:
        lines.append(
            f"added to its agents: {_some(len(done.tools_added), 'tool')} ({', '.join(done.tools_added)})"
        )
    if done.tools_bare:
        lines.append(
            f"called but not defined in the file: {', '.join(done.tools_bare)}; their arguments are free"
        )
    if done.tools_differ:
        lines.append(f"defined differently before, kept as it was: {', '.join(done.tools_differ)}")
    if done.tools_missing:
        lines.append(f"called in the runs, but no agent has it: {', '.join(done.tools_missing)}")
    return lines


def _some(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


async def _find(store: Store, kind: ContentKind, name: str, *, org: str) -> Id:
    """Return the id of content that is named by its id or its name; raises Failure."""
    if await store.content.get(kind, name, org=org) is not None:
        return name
    found = await store.content.named(kind, name, org=org)
    if not found:
        raise Failure(f"there is no {kind} with the id or name “{name}”", code=1)
    if len(found) > 1:
        raise Failure(f"several {kind}s have the name “{name}”, give the id: {', '.join(found)}", code=1)
    return found[0]
