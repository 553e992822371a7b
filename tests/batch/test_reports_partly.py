"""Reports of jobs that did not come to their end: whoever reads them sees that runs are missing."""

from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree

import aiohttp
import pytest_asyncio

from schemas.batch_job import BatchJob
from server.engine.batch.report_missing import MAX_SKIPPED
from tests.batch.conftest import OpenShop, Shop
from tests.batch.people import person
from tests.batch.test_reports import NEVER, page_of, permutations, rows_of, suites_of
from tests.support.batches import FINDS, case

COUNTS = ("tests", "failures", "errors", "skipped")


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def cancelled(shop: Shop, results: int, **changes: Any) -> BatchJob:
    """Return a job that was cancelled after so many results."""
    shop.server.model.script([{**FINDS, "times": results}, NEVER])
    config = {"concurrency": 1, "cache": False, **changes.pop("config", {})}
    job = await shop.start(config=config, **changes)
    await shop.results(job.id, results)
    await shop.cancel(job.id)
    return await shop.ended(job.id)


def counts(element: ElementTree.Element) -> list[int]:
    """Return the counts of suites, checked against their cases."""
    cases = list(element.iter("testcase"))
    kinds = ("failure", "error", "skipped")
    found = [len(cases), *(sum(c.find(kind) is not None for c in cases) for kind in kinds)]
    assert [int(element.get(name, "0")) for name in COUNTS] == found
    return found


async def test_runs_that_a_cancelled_job_did_not_do_are_skipped(
    shop: Shop, http: aiohttp.ClientSession
) -> None:
    job = await cancelled(shop, 4, cases=3, permutations=permutations(3))
    root = await suites_of(person(shop, http), job)
    assert counts(root) == [9, 0, 0, 5]
    assert [counts(suite) for suite in root] == [[3, 0, 0, 0], [3, 0, 0, 2], [3, 0, 0, 3]]
    missing = [c for c in root.iter("testcase") if c.find("skipped") is not None]
    assert [(c.get("classname"), c.get("name")) for c in missing] == [
        ("way 1", "case 1 [English]"),
        ("way 1", "case 2 [English]"),
        *(("way 2", f"case {n} [English]") for n in range(3)),
    ]
    (why,) = {skipped.get("message") for skipped in root.iter("skipped")}
    assert why == "The job was cancelled before this run was done."


async def test_missing_runs_are_told_by_language(shop: Shop, http: aiohttp.ClientSession) -> None:
    config = {"auto_translate_to_languages": ["English", "Klingon"]}
    job = await cancelled(shop, 1, cases=1, config=config)
    root = await suites_of(person(shop, http), job)
    assert counts(root) == [2, 0, 0, 1]
    assert [c.get("name") for c in root.iter("testcase")] == ["case 0 [English]", "case 0 [Klingon]"]


async def test_of_too_many_missing_runs_each_suite_tells_the_number(
    shop: Shop, http: aiohttp.ClientSession
) -> None:
    each = 500
    job = await cancelled(shop, 1, cases=each, permutations=permutations(MAX_SKIPPED // each + 1))
    root = await suites_of(person(shop, http), job)
    assert counts(root) == [1 + MAX_SKIPPED // each + 1, 0, MAX_SKIPPED // each + 1, 0]
    first = root[0].find("testcase/error")
    assert first is not None
    assert "499 of 500 runs have no result" in first.get("message", "")


async def test_a_job_that_failed_is_an_error(open_shop: OpenShop, http: aiohttp.ClientSession) -> None:
    async with open_shop(job_slots=0) as shop:
        job = await shop.start(2)
        packed = await shop.store.jobs.request(job.id)
        await shop.store.database.job_requests.delete_many({"_id.j": job.id})
        await shop.batches._runner.run(job.id)
        assert (await shop.ended(job.id)).state == "failed"
        await shop.store.jobs.save_request(job.id, packed or b"")
        root = await suites_of(person(shop, http), job)
    assert counts(root) == [3, 0, 1, 2]
    error = root[-1].find("testcase/error")
    assert error is not None
    assert error.get("message")


async def test_the_page_says_first_how_many_runs_were_done(shop: Shop, http: aiohttp.ClientSession) -> None:
    job = await cancelled(shop, 4, cases=3, permutations=permutations(3))
    page = await page_of(person(shop, http), job)
    told = "cancelled: 4 of 9 runs were done"
    assert told in page.text
    assert page.text.index(told) < page.text.index("way 0")
    assert "Accuracy of the runs that were done" in page.text


async def test_of_a_whole_job_nothing_is_said_to_be_missing(shop: Shop, http: aiohttp.ClientSession) -> None:
    job = await shop.ended((await shop.start(2)).id)
    page = await page_of(person(shop, http), job)
    assert "were done" not in page.text
    assert counts(await suites_of(person(shop, http), job)) == [2, 0, 0, 0]


async def test_the_page_begins_with_the_best_permutation(shop: Shop, http: aiohttp.ClientSession) -> None:
    ways = permutations(3)
    for way, name in zip(ways, ("worst", "middling", "best"), strict=True):
        way["llm"] = {**way["llm"], "model_name": name}
    shop.server.model.script(
        [
            {"match": {"model": "worst"}, "reply": "no"},
            {"match": {"model": "middling", "last_contains": "take 0"}, "reply": "no"},
            FINDS,
        ]
    )
    job = await shop.ended((await shop.start(2, permutations=ways)).id)
    page = await page_of(person(shop, http), job)
    begin = page.texts.index("Permutations, best first")
    table = page.texts[begin : page.texts.index("Every run")]
    assert [text.strip() for text in table if "way" in text] == ["1. way 2", "2. way 1", "3. way 0"]
    assert [text for text in table if " of " in text] == ["2 of 2", "1 of 2", "0 of 2"]


async def test_steps_are_told_of_the_runs_that_ask_for_them(shop: Shop, http: aiohttp.ClientSession) -> None:
    asks = {"type": "api_signature_selector", "expected_parameters": {"q": "cups"}}
    cases = [case(0), case(1), case(2, **asks)]
    job = await shop.ended((await shop.start(test_cases=cases)).id)
    page = await page_of(person(shop, http), job)
    detail = page.texts[page.texts.index("Permutations in detail") :]
    assert "1 of 1" in detail
    assert detail.count("3 of 3") == 2
    told = [
        c.findtext("system-out") or "" for c in (await suites_of(person(shop, http), job)).iter("testcase")
    ]
    assert sum("parameters mapped: 100%" in text for text in told) == 1
    assert sum("parameters mapped" in text for text in told) == 1


async def test_what_does_not_exist_is_said_to_be_no_operation(
    shop: Shop, http: aiohttp.ClientSession
) -> None:
    shop.server.model.script([{"tool_calls": [{"name": "requests_get", "arguments": {}}]}])
    job = await shop.ended((await shop.start(1)).id)
    page = await page_of(person(shop, http), job)
    assert "“requests_get”, which the group does not have" in page.text


async def test_reports_name_another_model_that_answered(
    open_shop: OpenShop, http: aiohttp.ClientSession
) -> None:
    async with open_shop(openai_model="smollm2-tiny") as shop:
        shop.server.model.script([{"reply": "Action: None"}])
        ways = permutations(2)
        ways[0]["tool_selector"] = {**ways[0]["tool_selector"], "provider": "Imprompt"}
        ways[1]["tool_selector"] = {**ways[0]["tool_selector"]}
        ways[1]["llm"] = {**ways[1]["llm"], "model_name": "smollm2-tiny"}
        job = await shop.ended((await shop.start(1, permutations=ways)).id)
        author = person(shop, http)
        page = await page_of(author, job)
        assert page.text.count("all, answered by smollm2-tiny") == 1
        assert page.text.count("answered by: smollm2-tiny") == 1
        assert {row["answered_by"] for row in await rows_of(author, job)} == {"smollm2-tiny"}
        told = [c.findtext("system-out") or "" for c in (await suites_of(author, job)).iter("testcase")]
        assert [("answered by: smollm2-tiny" in text) for text in told] == [True, False]
