"""Starting a job again with the same client_event_id: the same job, done and paid once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from server.engine.batch.batches import Batches
from server.errors import BadRequest, Conflict
from server.transports.ws_batch import ADDRESS
from tests.batch.conftest import OpenShop, Shop
from tests.batch.people import person
from tests.batch.sockets import last_words, opened, token_of
from tests.support.batch_jobs import Ended, Talk, is_summary
from tests.support.batches import FINDS, identity, job_of
from tests.support.proxy import proxy

NEVER = {"hang": True}


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def named(cases: int = 2, name: str = "try-1", **changes: Any) -> dict[str, Any]:
    """Return a job with a client_event_id."""
    return job_of(cases, client_event_id=name, **changes)


async def test_the_same_start_is_the_same_job_while_it_runs_and_after_its_end(shop: Shop) -> None:
    job = await shop.start(2, client_event_id="try-1")
    assert (await shop.start(2, client_event_id="try-1")).id == job.id
    await shop.ended(job.id)
    again = await shop.start(2, client_event_id="try-1")
    assert (again.id, again.state, again.results) == (job.id, "completed", 2)
    assert len(shop.server.model.requests) == 2
    assert await stored(shop) == (1, 0)


async def stored(shop: Shop) -> tuple[int, int]:
    """Return how many requests are stored, and how many of these are loose."""
    requests = shop.store.database.job_requests
    return await requests.count_documents({}), await requests.count_documents({"loose": {"$exists": True}})


async def test_many_starts_at_the_same_time_are_one_job(shop: Shop) -> None:
    begun = await asyncio.gather(*(shop.start(3, client_event_id="at once") for _ in range(12)))
    assert len({job.id for job in begun}) == 1
    await shop.ended(begun[0].id)
    assert len(shop.server.model.requests) == 3
    assert await stored(shop) == (1, 0)


async def test_different_jobs_at_the_same_time_are_not_mixed(shop: Shop) -> None:
    begun = await asyncio.gather(
        *(shop.start(n, client_event_id="mine") for n in (1, 2, 3)), return_exceptions=True
    )
    (job,) = [b for b in begun if not isinstance(b, BaseException)]
    assert [type(b) for b in begun].count(Conflict) == 2
    ended = await shop.ended(job.id)
    assert ended.results == ended.total_runs == ended.passed
    assert await stored(shop) == (1, 0)


async def test_another_job_of_the_same_name_is_a_conflict(shop: Shop) -> None:
    job = await shop.ended((await shop.start(1, client_event_id="x")).id)
    for other in (job_of(2, client_event_id="x"), job_of(1, client_event_id="x", version="2")):
        with pytest.raises(Conflict):
            await shop.batches.start(shop.author, other)
    async with opened(shop) as talk:
        await talk.say(job_of(2, client_event_id="x"))
        message, code = await last_words(talk)
    assert (message["code"], code) == ("conflict", 1008)
    assert (await shop.get(job.id)).total_runs == 1


async def test_keys_are_no_part_of_what_is_the_same(shop: Shop) -> None:
    job = await shop.start(1, client_event_id="k", config={"openai_api_key": "sk-1"})
    again = await shop.start(1, client_event_id="k", config={"openai_api_key": "sk-2"})
    assert again.id == job.id
    assert (await shop.ended(job.id)).passed == 1
    assert [seen.key for seen in shop.server.model.requests] == ["sk-1"]


async def test_others_have_jobs_of_their_own_by_that_name(shop: Shop) -> None:
    batches: Batches = shop.batches
    job = named()
    begun = [await batches.start(who, job) for who in (shop.author, identity(), identity(org="elsewhere"))]
    assert len({b.id for b in begun}) == 3


@pytest.mark.parametrize("name", ["", "x" * 65, 7, "\0"])
async def test_a_name_that_is_none_is_refused(shop: Shop, name: object) -> None:
    with pytest.raises(BadRequest) as refused:
        await shop.start(1, client_event_id=name)
    assert next(p.loc for p in refused.value.details or []) == ["client_event_id"]


async def test_a_report_reads_the_request_of_such_a_job(shop: Shop, http: aiohttp.ClientSession) -> None:
    job = await shop.ended((await shop.start(2, client_event_id="r")).id)
    body = await person(shop, http).ask("GET", f"jobs/{job.id}/report.csv")
    assert len(body.splitlines()) == 3


async def test_requests_that_lost_are_removed_and_the_winner_is_kept(open_shop: OpenShop) -> None:
    async with open_shop(job_slots=0) as shop:
        job = await shop.start(1, client_event_id="w")
        jobs, requests = shop.store.jobs, shop.store.database.job_requests
        packed = await jobs.request(job.id, digest=job.digest)
        assert packed is not None
        await jobs.save_request(job.id, packed, digest=job.digest)
        await jobs.save_request(job.id, b"other", digest="0" * 64)
        old = {"$set": {"loose": job.created_at.replace(year=2020)}}
        await requests.update_many({"loose": {"$exists": True}}, old)
        await jobs.drop_loose()
        assert await jobs.request(job.id, digest="0" * 64) is None
        assert await jobs.request(job.id, digest=job.digest) == packed
        assert await stored(shop) == (1, 0)


async def test_the_first_message_again_is_answered_from_the_first_result_on(shop: Shop) -> None:
    shop.server.model.script([{**FINDS, "first_delay_ms": 30}])
    async with opened(shop) as talk:
        await talk.say(named(6, concurrency=1))
        seen = await talk.results(3)
    for _ in range(2):
        async with opened(shop) as talk:
            await talk.say(named(6, concurrency=1))
            results, summary = await talk.whole()
        assert results[:3] == seen
        assert [r["index"] for r in results] == list(range(6))
        assert is_summary(summary)
    assert len(shop.server.model.requests) == 6


async def test_a_socket_that_breaks_before_the_first_result_costs_nothing(shop: Shop) -> None:
    shop.server.model.script([{**NEVER, "times": 1}, FINDS])
    headers = {"Authorization": f"Bearer {token_of(shop)}"}
    async with (
        proxy(shop.server.url) as way,
        aiohttp.ClientSession(headers=headers) as http,
        http.ws_connect(way.url + ADDRESS) as socket,
    ):
        await Talk(socket).say(named(1))
        await shop.server.model.until("running")
        way.cut()
        with pytest.raises(Ended):
            await Talk(socket).hear()
    async with opened(shop) as talk:
        await talk.say(named(1))
        await talk.say({"cancel": True})
        assert (await talk.whole())[1]["status"] == "cancelled"
    assert len(shop.server.model.requests) == 1
    assert len((await shop.batches.page(shop.author, limit=9, cursor=None)).items) == 1


async def test_over_http_the_job_that_there_is_is_answered(shop: Shop, http: aiohttp.ClientSession) -> None:
    author = person(shop, http)
    begun = await author.post(named(), query="?async=1", status=202)
    whole, again = await asyncio.gather(author.post(named()), author.post(named()))
    assert whole == again
    assert whole["job_id"] == begun["job_id"]
    assert whole["details"][0]["index"] == 0
    later = await author.post(named(), query="?async=1", status=202)
    assert (later["job_id"], later["status"]) == (begun["job_id"], "completed")
    refused = await author.post(named(3), status=409)
    assert refused["error"]["code"] == "conflict"
    assert len(shop.server.model.requests) == 2
