"""Reports of batch jobs: the page, CSV and JUnit; whatever a model says is text in them."""

import csv
import io
import re
from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree

import aiohttp
import orjson
import pytest
import pytest_asyncio

from schemas.batch import BatchResult
from schemas.batch_job import BatchJob
from server.engine.batch.report_csv import COLUMNS
from server.engine.batch.report_matrix import MAX_COLUMNS
from tests.batch.conftest import Shop
from tests.batch.people import Person, person
from tests.support.batch_jobs import KEYS
from tests.support.batches import FINDS, case, job_of
from tests.support.pages import Page

NEVER = {"hang": True}
NASTY = "<script>alert(1)</script>\"'&]]>=1+1\x00\x0b\u202e\ufffe"
FORMULA = '=HYPERLINK("https://evil.test","x")'


def permutations(count: int) -> list[dict[str, Any]]:
    (one,) = job_of(1)["permutations"]
    return [{**one, "name": f"way {n}"} for n in range(count)]


async def page_of(somebody: Person, job: BatchJob) -> Page:
    return Page((await somebody.ask("GET", f"jobs/{job.id}/report.html")).decode())


async def rows_of(somebody: Person, job: BatchJob) -> list[dict[str, str]]:
    text = (await somebody.ask("GET", f"jobs/{job.id}/report.csv")).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def suites_of(somebody: Person, job: BatchJob) -> ElementTree.Element:
    return ElementTree.fromstring(await somebody.ask("GET", f"jobs/{job.id}/report.junit.xml"))


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def rules() -> list[dict[str, Any]]:
    """Return how a model passes, fails and breaks."""
    return [
        {"match": {"last_contains": "nothing"}, "reply": "I will not."},
        {"match": {"last_contains": "broken"}, "status": 400, "error": {"message": "no"}},
        FINDS,
    ]


CASES = [case(0), case(1, prompt="nothing of it"), case(2, prompt="broken")]


async def test_the_page_shows_figures_the_matrix_and_what_did_not_pass(
    shop: Shop, rules: list[dict[str, Any]], http: aiohttp.ClientSession
) -> None:
    shop.server.model.script(rules)
    job = await shop.ended((await shop.start(test_cases=CASES, permutations=permutations(2))).id)
    author = person(shop, http)
    page = await page_of(author, job)
    assert author.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert author.headers["Content-Disposition"].startswith("inline")
    assert author.headers["X-Content-Type-Options"] == "nosniff"
    assert page.texts.count("✓ 1.00") == 2
    assert page.texts.count("✗ 0.00") == 2
    assert page.texts.count("error 0.00") == 2
    assert len([i for i in page.ids if i.startswith("result-")]) == 4
    assert {link.removeprefix("#") for link in page.links} == {i for i in page.ids if "result" in i}
    for shown in ("33.33%", "way 0", "way 1", "plugin https://shop.test/ai-plugin.json", "I will not."):
        assert shown in page.text
    assert "so far" not in page.text


async def test_the_csv_has_a_row_for_each_result_with_all_its_keys(
    shop: Shop, rules: list[dict[str, Any]], http: aiohttp.ClientSession
) -> None:
    shop.server.model.script(rules)
    job = await shop.ended((await shop.start(test_cases=CASES)).id)
    rows = await rows_of(person(shop, http), job)
    assert COLUMNS[: len(KEYS)] == KEYS
    assert tuple(BatchResult.model_fields) == COLUMNS
    stored = {r.index: r.model_dump(mode="json") for r in await shop.results(job.id, 3)}
    for row in rows:
        result = stored[int(row["index"])]
        for name, value in result.items():
            shown = "" if value is None else value if isinstance(value, str) else orjson.dumps(value).decode()
            assert row[name] == shown, name
    assert len(rows) == 3


async def test_junit_has_a_suite_for_each_permutation(
    shop: Shop, rules: list[dict[str, Any]], http: aiohttp.ClientSession
) -> None:
    shop.server.model.script(rules)
    job = await shop.ended((await shop.start(test_cases=CASES, permutations=permutations(2))).id)
    root = await suites_of(person(shop, http), job)
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("6", "2", "2")
    assert [suite.get("name") for suite in root] == ["way 0", "way 1"]
    for suite in root:
        sums = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
        assert sums == ["3", "1", "1", "0"]
        cases = {c.get("name"): c for c in suite.findall("testcase")}
        assert set(cases) == {f"case {n} [English]" for n in range(3)}
        assert [child.tag for child in cases["case 0 [English]"]] == ["system-out"]
        failure = cases["case 1 [English]"].find("failure")
        assert failure is not None
        assert "expected:\nplugin https://shop.test/ai-plugin.json" in (failure.text or "")
        error = cases["case 2 [English]"].find("error")
        assert error is not None
        assert error.get("type") == "upstream"
        seconds = sum(float(c.get("time", "")) for c in cases.values())
        assert abs(float(suite.get("time", "")) - seconds) < 0.01


async def test_whatever_is_said_is_text_in_every_format(shop: Shop, http: aiohttp.ClientSession) -> None:
    shop.server.model.script(
        [
            {
                "match": {"last_contains": "call"},
                "tool_calls": [{"name": "get_things", "arguments": {"q": NASTY}}],
            },
            {"match": {"last_contains": "formula"}, "reply": FORMULA},
            {"reply": NASTY},
        ]
    )
    name = NASTY.replace("\x00", "").replace("\ufffe", "")
    cases = [
        case(0, name=name, prompt=name),
        case(1, name=FORMULA, prompt="formula", expected_parameters={"a": "</td><script>"}),
        case(2, name="call", prompt="call", type="api_signature_selector", expected_parameters={"q": "<b>"}),
    ]
    ways = permutations(1)
    ways[0]["name"] = f"<img src=x onerror=alert(1)>{name}"
    job = await shop.ended((await shop.start(name=name, test_cases=cases, permutations=ways)).id)
    author = person(shop, http)
    page = await page_of(author, job)
    assert not {"script", "img", "b"} & set(page.tags)
    assert "<script>alert(1)</script>" in page.text
    for row in await rows_of(author, job):
        assert not any(re.match(r"\s*[=+\-@\t\r]", cell) for cell in row.values())
    names = [c.get("name", "") for c in (await suites_of(author, job)).iter("testcase")]
    assert any("<script>alert(1)</script>" in text for text in names)


async def test_a_running_job_is_reported_as_far_as_it_is(shop: Shop, http: aiohttp.ClientSession) -> None:
    shop.server.model.script([{**FINDS, "times": 2}, NEVER])
    job = await shop.start(5, concurrency=1)
    await shop.results(job.id, 2)
    author = person(shop, http)
    page = await page_of(author, job)
    assert "so far" in page.text
    assert page.texts.count("…") == 3
    assert "2 of 5 runs" in page.text
    assert len(await rows_of(author, job)) == 2
    root = await suites_of(author, job)
    assert (root.get("tests"), root.get("skipped")) == ("5", "3")


async def test_a_job_without_results_has_reports(shop: Shop, http: aiohttp.ClientSession) -> None:
    shop.server.model.script([NEVER])
    job = await shop.start(2)
    await shop.cancel(job.id)
    await shop.ended(job.id)
    author = person(shop, http)
    assert "cancelled: 0 of 2 runs were done" in (await page_of(author, job)).text
    assert await rows_of(author, job) == []
    root = await suites_of(author, job)
    assert (root.get("tests"), root.get("skipped")) == ("2", "2")


async def test_languages_have_a_table_each(shop: Shop, http: aiohttp.ClientSession) -> None:
    config = {"auto_translate_to_languages": ["English", "Spanish"]}
    job = await shop.ended((await shop.start(2, config=config)).id)
    page = await page_of(person(shop, http), job)
    assert page.tags.count("h4") == 2
    names = [c.get("name") for c in (await suites_of(person(shop, http), job)).iter("testcase")]
    assert sorted(n or "" for n in names) == [
        f"case {n} [{x}]" for n in (0, 1) for x in ("English", "Spanish")
    ]


async def test_a_large_job_is_shown_in_part_and_told_whole(shop: Shop, http: aiohttp.ClientSession) -> None:
    shop.server.model.script([{"reply": "no"}])
    ways = permutations(MAX_COLUMNS + 2)
    job = await shop.ended((await shop.start(40, permutations=ways, concurrency=64)).id)
    author = person(shop, http)
    page = await page_of(author, job)
    assert f"the first {MAX_COLUMNS} of {MAX_COLUMNS + 2} permutations" in page.text
    assert "The first 500 of 1080 are shown" in page.text
    assert len([i for i in page.ids if i.startswith("result-")]) == 500
    rows = await rows_of(author, job)
    assert [int(row["index"]) for row in rows] == list(range(1080))
    suites = await suites_of(author, job)
    assert [len(suite.findall("testcase")) for suite in suites] == [40] * len(ways)
