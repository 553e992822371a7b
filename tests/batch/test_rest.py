"""Batch jobs over HTTP: started, listed, read back and stopped."""

import asyncio
import gzip
import io
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest_asyncio

from schemas.batch import JobSummary, JobView
from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.transports import keys
from server.transports.uploads import UPLOADS
from tests.batch.conftest import Shop
from tests.batch.people import Person, person
from tests.batch.sockets import token_of, until
from tests.support.batches import FINDS, MIRROR, identity, job_of
from tests.support.running import Server, running, settings_for

NEVER = {"hang": True}


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_job_is_answered_whole_at_its_end(shop: Shop, http: aiohttp.ClientSession) -> None:
    summary = await person(shop, http).post(job_of(5))
    assert list(summary) == list(JobSummary.model_fields)
    assert summary["status"] == "completed"
    assert [r["index"] for r in summary["details"]] == list(range(5))
    assert len(shop.server.app[keys.ADMISSION].identities) == 0


async def test_a_job_is_started_and_looked_at_later(shop: Shop, http: aiohttp.ClientSession) -> None:
    author = person(shop, http)
    begun = await author.post(job_of(4), query="?async=1", status=202)
    assert set(begun) == set(JobView.model_fields)
    assert begun["status"] in ("queued", "running")
    assert author.headers["Location"] == f"/api/jobs/{begun['job_id']}"
    await shop.ended(begun["job_id"])
    found = await author.get(f"jobs/{begun['job_id']}")
    assert set(found) == {*JobView.model_fields, "summary"}
    assert (found["status"], found["results"], found["passed"]) == ("completed", 4, 4)
    assert found["room"] == f"batch_{begun['job_id']}"
    assert len(found["summary"]["details"]) == 4


async def test_a_running_job_has_no_summary_yet(shop: Shop, http: aiohttp.ClientSession) -> None:
    shop.server.model.script([{**FINDS, "times": 2}, NEVER])
    job = await shop.start(9, concurrency=1)
    await shop.results(job.id, 2)
    found = await person(shop, http).get(f"jobs/{job.id}")
    assert (found["status"], found["summary"]) == ("running", None)
    lines = (await person(shop, http).ask("GET", f"jobs/{job.id}/results")).splitlines()
    assert [orjson.loads(line)["index"] for line in lines] == [0, 1]


async def test_results_are_lines_from_any_index_on(shop: Shop, http: aiohttp.ClientSession) -> None:
    job = await shop.ended((await shop.start(250, concurrency=64)).id)
    author = person(shop, http)
    for query, first in (
        ("", 0),
        ("?from=0", 0),
        ("?from=249", 249),
        ("?from=250", 250),
        ("?from=9999", 250),
    ):
        body = await author.ask("GET", f"jobs/{job.id}/results{query}")
        assert [orjson.loads(line)["index"] for line in body.splitlines()] == list(range(first, 250))
        assert author.headers["Content-Type"].startswith("application/x-ndjson")
    for query, last in (("limit=1", 1), ("from=30&limit=150", 180), ("from=240&limit=99", 250)):
        body = await author.ask("GET", f"jobs/{job.id}/results?{query}")
        first = 0 if query == "limit=1" else int(query[5:].partition("&")[0])
        assert [orjson.loads(line)["index"] for line in body.splitlines()] == list(range(first, last))
    for wrong in ("from=-1", "from=x", "from=1.5", f"from={'9' * 30}", "limit=0", "limit=x"):
        answer = await author.get(f"jobs/{job.id}/results?{wrong}", status=400)
        assert answer["error"]["code"] == "bad_request"


async def test_a_job_is_read_as_it_was_sent_and_started_again(
    shop: Shop, http: aiohttp.ClientSession
) -> None:
    author = person(shop, http)
    keyed = job_of(2, config={"concurrency": 3, "openai_api_key": "sk-of-a-client"})
    keyed["test_cases"][1]["expected_parameters"] = {"q": "cups", "colour": None}
    keyed |= {"client_event_id": "mine", "unknown": 1}
    begun = await author.post(keyed, query="?async=1", status=202)
    sent = await author.get(f"jobs/{begun['job_id']}/request")
    assert "sk-of-a-client" not in str(sent)
    assert {"client_event_id", "unknown"}.isdisjoint(sent)
    assert (sent["name"], sent["config"]["concurrency"]) == ("shopping", 3)
    assert sent["test_cases"][1]["expected_parameters"] == {"q": "cups", "colour": None}
    again = await author.post(sent, query="?async=1", status=202)
    assert again["job_id"] != begun["job_id"]
    assert (await author.get(f"jobs/{again['job_id']}/request")) == sent


async def test_jobs_are_listed_by_pages_and_by_status(shop: Shop, http: aiohttp.ClientSession) -> None:
    author = person(shop, http)
    ended = [(await shop.ended((await shop.start(1, name=f"job {n}")).id)).id for n in range(3)]
    shop.server.model.script([NEVER])
    running_ = await shop.start(1, name="endless")
    await shop.server.model.until("running")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await author.get(f"jobs?limit=2{cursor and f'&cursor={cursor}'}")
        seen += [item["job_id"] for item in page["items"]]
        assert all(set(item) == set(JobView.model_fields) for item in page["items"])
        cursor = page["next_cursor"]
    assert seen == [running_.id, *reversed(ended)]
    found = await author.get("jobs?status=completed")
    assert [item["job_id"] for item in found["items"]] == list(reversed(ended))
    assert (await author.get("jobs?status=failed"))["items"] == []
    for query in ("limit=0", "limit=201", "limit=x", "cursor=x", "status=done"):
        assert (await author.get(f"jobs?{query}", status=400))["error"]["code"] == "bad_request"
    foreign = person(shop, http, org="elsewhere")
    assert (await foreign.get("jobs"))["items"] == []


async def test_a_job_is_stopped_and_one_that_has_ended_stays(shop: Shop, http: aiohttp.ClientSession) -> None:
    shop.server.model.script([{**FINDS, "times": 1}, NEVER])
    author = person(shop, http)
    job = await shop.start(5, concurrency=1)
    await shop.results(job.id, 1)
    answer = orjson.loads(await author.ask("DELETE", f"jobs/{job.id}"))
    assert answer["status"] == "cancelled" or answer["cancelling"]
    assert (await shop.ended(job.id)).state == "cancelled"
    answer = orjson.loads(await author.ask("DELETE", f"jobs/{job.id}"))
    assert (answer["status"], answer["cancelling"], answer["results"]) == ("cancelled", False, 1)


async def test_who_may_see_a_job_and_who_may_stop_it(shop: Shop, http: aiohttp.ClientSession) -> None:
    job = await shop.ended((await shop.start(1)).id)
    paths = [f"jobs/{job.id}", f"jobs/{job.id}/results", f"jobs/{job.id}/request"]
    paths += [f"jobs/{job.id}/report.{name}" for name in ("html", "csv", "junit.xml")]
    nobody = [person(shop, http, "learner"), person(shop, http, org="elsewhere"), Person(shop, http, None)]
    for path in paths:
        assert await person(shop, http, "ops").ask("GET", path)
        for somebody in nobody:
            assert (await somebody.get(path, status=404))["error"]["code"] == "not_found"
        missing = path.replace(job.id, new())
        assert (await person(shop, http).get(missing, status=404))["error"]["code"] == "not_found"
        assert (await person(shop, http).get(path.replace(job.id, "x"), status=404))["success"] is False
        assert (await Person(shop, http, "nonsense").get(path, status=401))["success"] is False
    for somebody in nobody:
        await somebody.ask("DELETE", f"jobs/{job.id}", status=404)
    await person(shop, http, "ops").ask("DELETE", f"jobs/{job.id}", status=403)
    await person(shop, http, "learner").ask("GET", "jobs", status=403)
    await person(shop, http).ask("GET", f"jobs/{job.id}/report.pdf", status=404)


async def test_leaving_while_waiting_does_not_stop_the_job(shop: Shop, http: aiohttp.ClientSession) -> None:
    shop.server.model.script([{**FINDS, "first_delay_ms": 100}])
    waiting = asyncio.create_task(person(shop, http).post(job_of(8, concurrency=1)))
    await shop.server.model.until("done", 2)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    job = (await shop.batches.page(shop.author, limit=1, cursor=None)).items[0]
    assert (await shop.ended(job.id)).results == 8
    await until(lambda: len(shop.server.app[keys.ADMISSION].identities) == 0)


async def test_a_server_that_stops_answers_who_waits_with_the_job(
    mongod_url: str, model: tuple[ScriptedModel, str], http: aiohttp.ClientSession
) -> None:
    model[0].script([NEVER])
    async with running(settings_for(mongod_url, model[1], url_mirror=MIRROR)) as (url, app):
        shop = Shop(Server(url=url, app=app, model=model[0], model_url=model[1]), identity())
        waiting = asyncio.create_task(person(shop, http).post(job_of(1), status=202))
        await model[0].until("running")
        app[keys.DRAIN].begin()
        assert (await waiting)["room"].startswith("batch_")
        refused = await person(shop, http).post(job_of(1), status=503)
        assert refused["error"]["code"] == "unavailable"


async def test_a_body_may_be_packed_and_is_counted_unpacked(shop: Shop, http: aiohttp.ClientSession) -> None:
    author = person(shop, http)
    text = orjson.dumps(job_of(1))
    assert (await author.post(gzip.compress(text), Content_Encoding="gzip"))["status"] == "completed"
    most = shop.server.app[keys.SETTINGS].max_batch_message
    bomb = gzip.compress(text + b" " * most)
    await author.post(bomb, status=413, Content_Encoding="gzip")
    await author.post(b"nonsense", status=400, Content_Encoding="gzip")
    assert shop.server.app[UPLOADS].held == 0


async def test_yaml_is_refused_by_name(shop: Shop, http: aiohttp.ClientSession) -> None:
    answer = await person(shop, http).post(b"name: x", status=400, Content_Type="application/yaml")
    assert "JSON" in answer["error"]["message"]


async def test_only_jobs_may_be_large(shop: Shop, http: aiohttp.ClientSession) -> None:
    url = f"{shop.server.url}/api/v1/rubrics"
    headers = {"Authorization": f"Bearer {token_of(shop)}"}
    async with http.post(url, data=io.BytesIO(b" " * (300 * 1024)), headers=headers) as response:
        assert response.status == 413


async def test_too_many_large_jobs_at_once_are_told_to_wait(shop: Shop, http: aiohttp.ClientSession) -> None:
    shop.server.app[UPLOADS].most = 1024 * 1024
    large = orjson.dumps(job_of(1)) + b" " * (3 * 1024 * 1024)
    answer = await person(shop, http).post(large, status=503)
    assert answer["error"]["code"] == "unavailable"
    assert answer["error"]["retry_after"] > 0
    assert shop.server.app[UPLOADS].held == 0
    assert (await person(shop, http).post(job_of(1)))["status"] == "completed"
