"""What processes remember of chunks and documents is what a query without memory would read."""

import asyncio
from typing import Any

from schemas.pipeline import Pipeline
from server.engine.playground.retrieval.described import Described
from server.transports import keys
from tests.playground.searching import ANIMALS, Data, Search, also_at, search_of, stored
from tests.playground.test_sync import pair  # noqa: F401
from tests.support.running import Server

HEN = "The hen lays an egg every morning in the barn."


async def shown(search: Search, query: str = "hen") -> list[tuple[str, Any]]:
    """Return texts and metadata of what is found."""
    nodes: list[Data] = (await search.ask(query, alpha=0))["retrieval_nodes"]
    return [(node["node"]["text"], node["node"]["extra_info"]) for node in nodes]


async def documents_of(server: Server, pipeline: Pipeline) -> dict[str, int]:
    _, live = await server.app[keys.STORE].chunks.live(pipeline.id)
    return live


async def test_other_metadata_alone_is_seen_by_every_process_at_once(
    pair: tuple[Server, Server],  # noqa: F811
) -> None:
    async with search_of(pair[0]) as (one, _), also_at(pair[1], one) as other:
        await one.put({"id": "hen", "text": HEN, "metadata": {"year": 1}})
        for year in range(2, 6):
            for search in (one, other):
                assert await shown(search) == [(HEN, {"year": year - 1})]
            document = {"id": "hen", "text": HEN, "metadata": {"year": year}}
            writer, reader = (one, other) if year % 2 else (other, one)
            await writer.rest.put(f"pipelines/{one.pipeline_id}/documents", [document])
            assert await shown(reader) == [(HEN, {"year": year})]  # whether it is indexed yet or not
            await one.indexed()


async def test_what_was_deleted_and_put_again_is_only_what_it_is_now(
    pair: tuple[Server, Server],  # noqa: F811
) -> None:
    async with search_of(pair[0]) as (one, _), also_at(pair[1], one) as other:
        for text, farm in (("A hen sleeps.", "old"), ("Another hen eats.", "new")):
            await one.put({"id": "hen", "text": text, "metadata": {"farm": farm}})
            for search in (one, other):
                assert await shown(search) == [(text, {"farm": farm})]
            await other.delete("hen")
            for search in (one, other):
                assert await shown(search) == []


async def test_an_answer_that_was_given_is_given_again_without_reading(server: Server) -> None:
    async with search_of(server) as (search, _):
        await search.put(**ANIMALS)
        before = await shown(search)
        database = server.app[keys.STORE].database
        await database.chunks.delete_many({})
        await database.pipeline_documents.delete_many({})  # nobody was told of it
        assert await shown(search) == before == [(HEN, {})]


async def test_what_was_being_read_while_it_was_replaced_is_not_kept(server: Server) -> None:
    async with search_of(server) as (search, _):
        await search.put(**ANIMALS)
        pipeline = await stored(server, search.pipeline_id)
        live = await documents_of(server, pipeline)
        described = Described(server.app[keys.STORE], limit=1_000_000)
        reading = asyncio.create_task(described.get(live, rewrites=0))
        await asyncio.sleep(0)
        await described.get({}, rewrites=1)
        assert (await reading).keys() == live.keys()
        assert described.size == 0
        await described.get(live, rewrites=1)
        assert described.size > 0


async def test_only_so_much_is_kept_as_there_is_room_for(server: Server) -> None:
    async with search_of(server) as (search, _):
        await search.put(**ANIMALS)
        live = await documents_of(server, await stored(server, search.pipeline_id))
        for limit in (0, 2_000, 7_000):
            described = Described(server.app[keys.STORE], limit=limit)
            assert (await described.get(live, rewrites=0)).keys() == live.keys()
            assert described.size <= limit
            assert (described.size > 0) == (limit > 2_000)
