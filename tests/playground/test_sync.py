"""The index in memory follows the documents in MongoDB: in every process, once for all who ask, and again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest_asyncio
from pydantic import SecretStr

from schemas.pipeline import Pipeline
from schemas.retrieval import Found, RetrievalParams
from server.engine.playground.retrieval.index import WORN
from server.llm.scripted import ScriptedModel
from server.transports import keys
from tests.playground.searching import ANIMALS, Search, also_at, indexes_of, search_of, stored
from tests.support.proxy import proxy
from tests.support.running import Server, running, settings_for

WORDS = RetrievalParams(alpha=0)


@pytest_asyncio.fixture
async def pair(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[tuple[Server, Server]]:
    """Run two servers on one database that know nothing else of each other."""
    settings = settings_for(mongod_url, model[1])
    async with running(settings) as one, running(settings) as other:
        first, second = (Server(url=url, app=app, model=model[0], model_url="") for url, app in (one, other))
        yield first, second


async def retrieve(server: Server, pipeline: Pipeline, query: str) -> Found:
    return await server.app[keys.RETRIEVAL].retrieve(pipeline, query, WORDS)


def stripped(answer: dict[str, Any]) -> bytes:
    return orjson.dumps({**answer, "retrieval_latency": None})


async def test_every_process_finds_what_is_put_and_no_longer_what_is_gone(
    pair: tuple[Server, Server],
) -> None:
    async with search_of(pair[0]) as (one, _), also_at(pair[1], one) as other:
        await one.put(**ANIMALS)
        for search in (one, other):
            assert await search.found("fox", alpha=0) == ["fox"]

        await other.put(fox="The wolf howls.", owl="The owl hunts mice.")
        for search in (one, other):
            assert await search.found("fox", alpha=0) == []
            assert await search.found("wolf", alpha=0) == ["fox"]
            assert await search.found("mice", alpha=0) == ["owl"]

        await one.delete("owl")
        for search in (other, one):
            assert await search.found("mice", alpha=0) == []
            assert "owl" not in await search.found("owls that hunt mice")

        await one.rest.delete(f"pipelines/{one.pipeline_id}")
        for search in (other, one):
            await search.ask("wolf", status=404)


async def test_processes_give_the_same_answers_whatever_they_have_seen(pair: tuple[Server, Server]) -> None:
    texts = {f"d{n}": f"Number {n % 7} of the house rules: {'be kind ' * (n % 3)}" for n in range(40)}
    async with search_of(pair[0]) as (one, _), also_at(pair[1], one) as other:
        await one.put(**{name: text for name, text in texts.items() if name < "d2"})
        await one.ask("rules")  # this process follows, the other one loads all at once
        await one.put(**texts)
        for query, alpha in (("kind rules", 0.25), ("number 3", 0), ("be kind", 1)):
            answers = [await search.ask(query, alpha=alpha) for search in (one, other)]
            assert stripped(answers[0]) == stripped(answers[1])
            assert answers[0]["retrieval_nodes"]


async def test_an_index_that_was_dropped_is_made_again(server: Server) -> None:
    async with search_of(server) as (search, _):
        await search.put(**ANIMALS)
        before = await search.ask("the fox in the barn")
        indexes_of(server).release(idle=0)
        assert len(indexes_of(server)) == 0
        assert stripped(await search.ask("the fox in the barn")) == stripped(before)


async def test_all_who_ask_at_once_share_one_look(server: Server) -> None:
    async with search_of(server) as (search, _):
        await search.put(**ANIMALS)
        pipeline = await stored(server, search.pipeline_id)
        found = await asyncio.gather(*(retrieve(server, pipeline, "fox") for _ in range(50)))
    assert {tuple(passage.document_id for passage in each.passages) for each in found} == {("fox",)}
    assert indexes_of(server).syncs == 1


async def test_a_query_that_is_given_up_leaves_the_others_alone(server: Server) -> None:
    async with search_of(server) as (search, _):
        await search.put(**ANIMALS)
        pipeline = await stored(server, search.pipeline_id)
        first, second = (asyncio.create_task(retrieve(server, pipeline, "fox")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert [passage.document_id for passage in (await second).passages] == ["fox"]
        await asyncio.gather(first, return_exceptions=True)
        assert first.cancelled()
    assert indexes_of(server).syncs == 1


async def test_a_query_that_began_before_a_replacement_needs_no_chunk_that_was_removed(
    server: Server,
) -> None:
    async with search_of(server) as (search, _):
        await search.put(**ANIMALS)
        seen = await stored(server, search.pipeline_id)
        await retrieve(server, seen, "fox")
        await search.put(fox="The fox plays chess.")
        await server.app[keys.STORE].database.chunks.delete_many({"document_id": "fox", "revision": 1})
        found = await retrieve(server, seen, "fox")  # as if the pipeline was read before it changed
        assert [passage.text for passage in found.passages] == [ANIMALS["fox"]]
        now = await stored(server, search.pipeline_id)
        for pipeline in (now, seen):  # what it has seen once stays
            found = await retrieve(server, pipeline, "fox")
            assert [passage.text for passage in found.passages] == ["The fox plays chess."]


async def test_a_document_that_waits_is_found_as_it_was_until_it_is_indexed(server: Server) -> None:
    async with search_of(server) as (search, _):
        await search.put(**ANIMALS)
        changes = (await stored(server, search.pipeline_id)).changes
        await search.put(**ANIMALS)  # the same again changes nothing
        assert (await stored(server, search.pipeline_id)).changes == changes
        assert await search.found("fox", alpha=0) == ["fox"]


async def test_memory_holds_the_pipelines_used_last(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    async with running(settings_for(mongod_url, model[1], index_memory=0)) as (url, app):
        server = Server(url=url, app=app, model=model[0], model_url="")
        async with search_of(server) as (one, _):
            made = await one.rest.put("pipelines", {"name": "Another"})
            other = Search(one.rest, made["id"])
            for search in (one, other):
                await search.put(**ANIMALS)
            for search, left in ((one, other), (other, one), (one, other)):
                assert await search.found("fox", alpha=0) == ["fox"]
                assert search.pipeline_id in indexes_of(server)
                assert left.pipeline_id not in indexes_of(server)
            async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as response:
                figures = await response.text()
            assert indexes_of(server).size > 0
            assert f"greenroom_index_bytes {float(indexes_of(server).size)}" in figures


async def test_a_search_goes_on_when_the_database_is_back(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    async with proxy(mongod_url) as between:
        address = mongod_url.replace(mongod_url.split("/")[2], between.url.split("/")[2])
        settings = settings_for(mongod_url, model[1]).model_copy(update={"mongodb_url": SecretStr(address)})
        async with running(settings) as (url, app):
            server = Server(url=url, app=app, model=model[0], model_url="")
            async with search_of(server) as (search, _):
                await search.put(**ANIMALS)
                pipeline = await stored(server, search.pipeline_id)
                for _ in range(5):
                    indexes_of(server).release(idle=0)
                    asking = asyncio.create_task(retrieve(server, pipeline, "fox"))
                    await asyncio.sleep(0)
                    between.cut()
                    await asyncio.gather(asking, return_exceptions=True)
                assert await search.found("fox", alpha=0) == ["fox"]


async def test_an_index_of_which_much_is_gone_is_made_anew(pair: tuple[Server, Server]) -> None:
    async with search_of(pair[0]) as (one, _), also_at(pair[1], one) as other:
        await one.put(**{f"d{n}": f"Rule {n} of the old house" for n in range(WORN + 2)})
        assert len(await one.found("old house", alpha=0)) == 30
        await one.put(**{f"d{n}": f"Rule {n} of the new house" for n in range(WORN + 1)})
        for query in ("old house", "new rule 7"):
            answers = [await search.ask(query, alpha=0) for search in (one, other)]
            assert stripped(answers[0]) == stripped(answers[1])  # also the scores, which count what is gone
        assert await one.found("old", alpha=0) == [f"d{WORN + 1}"]
