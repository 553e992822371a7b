"""A persona and an agent that rest on a pipeline: loading them, and talking with them."""

import asyncio
from pathlib import Path
from typing import Any

from schemas.envelope import Id
from server.cli.packs import Loaded, read_packs, store_packs
from server.engine.ids import new
from server.engine.packs import content_id
from server.transports import keys
from tests.support.attempts import Client, Talk
from tests.support.clients import PATIENCE
from tests.support.passing import passes
from tests.support.rest import Rest
from tests.support.running import Server

PACK = Path(__file__).parent.parent / "data" / "packs" / "grounded.yaml"
PIPELINE = content_id("grounded", "pipeline", "shop")
PERSONA = content_id("grounded", "persona", "vera")
BENCHMARK = content_id("grounded", "benchmark", "counter")


async def load_grounded(server: Server, source: str | None = None) -> Loaded:
    """Load the pack, or a changed one, and return what was done once its documents are indexed."""
    store = server.app[keys.STORE]
    text = PACK.read_text() if source is None else source
    packs = await read_packs({"grounded.yaml": text.encode()}, store=store, org="default")
    (loaded,) = await store_packs(packs, store=store, org="default", offline=True, advance=lambda _: None)
    await found_and_indexed(server, PIPELINE)
    return loaded


async def found_and_indexed(server: Server, pipeline_id: Id) -> None:
    """Have a pipeline indexed that another process has changed, as the server does each half minute."""
    find = server.app[keys.INDEX_KEEPER].find
    if pipeline_id in {key for _, key in await find()}:
        await server.app[keys.INDEXING].wake(pipeline_id)
    async with asyncio.timeout(PATIENCE):
        while pipeline_id in {key for _, key in await find()}:
            await passes(0.05, because="nobody is told when a pipeline is indexed")


async def begin(client: Client, key: str = "counter") -> Talk:
    """Start an attempt with the persona."""
    return await talk_of(client, content_id("grounded", "practice", key))


async def talk_of(client: Client, practice_id: Id) -> Talk:
    """Start an attempt of a practice."""
    ack = await client.send("attempt_start", practice_id=practice_id)
    return Talk(client, ack["attempt_id"], ack["chat_id"], ack)


async def own_persona(author: Rest, *texts: str, **persona: Any) -> tuple[Id, Id]:
    """Return a pipeline of an author's with documents to be indexed, and a practice with a persona on it."""
    pipeline: Id = (await author.post("pipelines", {"name": f"Papers {new()}"}))["id"]
    if texts:
        documents = [{"id": f"d{n}", "text": text} for n, text in enumerate(texts)]
        await author.put(f"pipelines/{pipeline}/documents", documents)
    body = {"name": "Own", "instructions": "You are Own.", "pipeline_id": pipeline, **persona}
    made = await author.post("personas", body)
    scenario = await author.post("scenarios", {"name": "Own", "persona_id": made["id"]})
    practice = await author.post("practices", {"name": "Own", "scenarios": [{"scenario_id": scenario["id"]}]})
    return pipeline, practice["id"]


def named(sources: list[dict[str, Any]]) -> list[str]:
    """Return the names of the documents of sources."""
    return [source["document"] for source in sources]
