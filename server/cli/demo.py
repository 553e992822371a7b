"""`demo`: everything on one machine with one command, with content and tokens to begin with."""

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from schemas.content import ContentKind
from schemas.envelope import Id
from server.cli.demo_text import describe
from server.cli.failure import Failure
from server.cli.options import DataDir, Host, Port, configure
from server.cli.packs import read_files, read_packs, store_packs
from server.cli.run import SERVERS_END, run
from server.engine.packs import Pack
from server.settings import Settings
from server.store import Store

if TYPE_CHECKING:
    from server.engine.playground.indexing.parts import Indexing

CONTENT = Path(__file__).parents[2] / "content"
ORG = "default"


def demo(host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """Run the server with demo content, and print how to talk to it; Ctrl-C stops all of it."""
    settings = configure(host=host, port=port, data_dir=data_dir, log_level="warning")
    run(_demo(settings), when_stopped=0, within=SERVERS_END)


async def _demo(settings: Settings) -> None:
    from server.cli.serving import serving  # the whole application; other commands start faster without
    from server.transports import keys

    try:
        async with serving(settings) as server:
            packs, news = await load_demo(server.store, settings)
            await index(packs, by=server.app[keys.INDEXING])
            practice = first_practice(packs)
            for line in describe(server.url, asked=settings, practice=practice, news=news):
                print(line, flush=True)
            await server.until_broken()
    except asyncio.CancelledError:
        print("Greenroom has stopped; the data is kept.", flush=True)
        raise


async def load_demo(store: Store, settings: Settings) -> tuple[list[Pack], list[str]]:
    """Load the demo packs once, so that changes made to them later stay; return them and what was done.

    A pack is loaded again when its file has changed, or nothing of it is in the database.
    """
    sources = read_files(sorted(CONTENT.glob("*.yaml")))
    packs = await read_packs(sources, store=store, org=ORG)
    digests = {
        pack.id: hashlib.sha256(s).hexdigest() for pack, s in zip(packs, sources.values(), strict=True)
    }
    memory = settings.data_dir / "demo.json"
    before = _remembered(memory)
    wanted = [p for p in packs if before.get(p.id) != digests[p.id] or not await _any_of(p, store)]
    offline = settings.embedding_model is None
    loaded = await store_packs(wanted, store=store, org=ORG, offline=offline, advance=lambda _: None)
    if wanted:
        _remember(memory, digests)
    kept = [f"{pack.id}: kept as it is" for pack in packs if pack not in wanted]
    return packs, sorted([*map(str, loaded), *kept])


async def index(packs: list[Pack], *, by: "Indexing") -> None:
    """Have the packs' documents indexed at once; otherwise they are looked for after half a minute."""
    for pipeline in (pipeline for pack in packs for pipeline in pack.pipelines):
        await by.wake(pipeline.id)


def first_practice(packs: list[Pack]) -> tuple[Id, str] | None:
    """Return id and name of a practice of the packs."""
    kind: ContentKind = "practice"
    found = ((content.id, content.name) for pack in packs for k, content in pack.contents if k == kind)
    return next(found, None)


def _remembered(memory: Path) -> dict[str, str]:
    try:
        known = orjson.loads(memory.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(memory: Path, digests: dict[str, str]) -> None:
    try:
        memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        memory.write_bytes(orjson.dumps(digests))
    except OSError as error:
        raise Failure(f"cannot write {memory}: {error.strerror}; choose another --data-dir") from error


async def _any_of(pack: Pack, store: Store) -> bool:
    if not pack.contents:
        return await store.pipelines.get(pack.pipelines[0].id) is not None
    kind, content = pack.contents[0]
    return await store.content.get(kind, content.id, org=ORG) is not None
