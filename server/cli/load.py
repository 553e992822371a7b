"""`load`: content packs into the database."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from server.cli.options import DataDir, Org, attended, configure
from server.cli.packs import read_files, read_packs, store_packs
from server.cli.parts import opened_store
from server.cli.run import run
from server.settings import Settings

Files = Annotated[list[Path], typer.Argument(help="Content packs.", metavar="FILE.yaml…", show_default=False)]


def load(files: Files, org: Org = "default", data_dir: DataDir = None) -> None:
    """Load content packs; again changes only what is different.

    Every problem is told with file, line and path; then nothing is stored, and the exit code is 1.
    """
    run(_load(files, settings=configure(data_dir=data_dir, log_level="error"), org=org))


async def _load(files: list[Path], *, settings: Settings, org: str) -> None:
    sources = read_files(files)
    async with opened_store(settings) as store:
        await store.prepare()
        packs = await read_packs(sources, store=store, org=org)
        with Progress(console=Console(stderr=True), disable=not attended(), transient=True) as bar:
            task = bar.add_task("storing", total=sum(pack.size for pack in packs))
            loaded = await store_packs(
                packs,
                store=store,
                org=org,
                offline=settings.embedding_model is None,
                advance=lambda n: bar.advance(task, n),
            )
    for entry in loaded:
        print(entry)
