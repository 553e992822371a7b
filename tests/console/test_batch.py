"""Batch jobs in the page: started from a form or a file, the matrix as it fills, and each result."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from schemas.batch import BatchResult
from schemas.envelope import Id
from server.llm.scripted import ScriptedModel
from server.store.results import ResultRow
from server.transports import keys
from tests.console.held import held
from tests.console.visitor import Console, Visitor
from tests.support.batch_jobs import KLARNA, MIRROR, klarna_cases
from tests.support.batches import identity, result_of, until_ended, until_results
from tests.support.reborn import reborn
from tests.support.running import Server, running, settings_for

PLUGIN = "https://assistant-management-data.s3.amazonaws.com/Klarna_Shopping.json"
PRODUCTS = "https://www.klarna.com/us/shopping/public/openai/v0/products"
FOUND = {"tool_calls": [{"name": "get_public_openai_v0_products", "arguments": {"q": "hat"}}]}
SECRET = "sk-typed-by-an-author"


@pytest_asyncio.fixture
async def server(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Server]:
    """Run a server whose network is the demo's folder, and whose model answers as the demo's does."""
    model[0].script(orjson.loads((KLARNA / "script.json").read_bytes()))
    settings = settings_for(mongod_url, model[1]).model_copy(update={"url_mirror": MIRROR})
    async with running(settings) as (url, app):
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))


async def begin(console: Console, job: object) -> Id:
    """Start a job."""
    return (await console.server.app[keys.BATCHES].start(identity(), job)).id


async def ended(console: Console, job: object) -> Id:
    """Have a job done."""
    job_id = await begin(console, job)
    await until_ended(console.server.app[keys.BATCHES], identity(), job_id)
    return job_id


def demo() -> dict[str, object]:
    """Return the demo's job, of which two runs of twelve fail."""
    job: dict[str, object] = orjson.loads((KLARNA / "job.json").read_bytes())
    return job


async def pasting(visitor: Visitor, text: str) -> None:
    """Open a new job and paste a file into it."""
    await visitor.open("batch", "new")
    await visitor.page.get_by_role("tab", name="File").click()
    await visitor.page.get_by_label("The job as YAML or JSON").fill(text)


async def start(page: Page) -> None:
    """Press the button that starts a job."""
    await page.get_by_role("button", name="Start the job").click()


def marks(page: Page) -> Locator:
    """Return the results that the matrix shows."""
    return page.get_by_role("region", name="Matrix").get_by_role("link")


async def test_a_pasted_file_is_run_filtered_and_looked_into(console: Console) -> None:
    visitor = await console.visit("author")
    page = visitor.page
    await pasting(visitor, (KLARNA / "job.yaml").read_text())
    await expect(page.get_by_text("2 cases × 3 permutations × 2 languages = 12 runs")).to_be_visible()
    await start(page)
    await expect(page.get_by_text("12 of 12 runs")).to_be_visible()
    await expect(marks(page)).to_have_count(12)
    await visitor.axe()
    await page.get_by_label("Failed only").check()
    await expect(marks(page)).to_have_count(2)
    await page.get_by_label("Permutation", exact=True).select_option("permutation1")
    await expect(marks(page)).to_have_count(1)
    await page.reload()  # the filters are in the address
    await expect(marks(page)).to_have_count(1)
    await marks(page).click()
    await expect(page.get_by_text("Muéstrame 5 camisetas")).to_be_visible()
    wanted = page.get_by_role("row", name="q ")
    await expect(wanted).to_contain_text('"T shirt"')
    await expect(wanted).to_contain_text('"camiseta"')
    await expect(page.get_by_role("row", name="Operation")).to_contain_text(PRODUCTS)
    await visitor.axe()
    await page.get_by_role("link", name="Back to the matrix").click()
    await expect(page.get_by_label("Failed only")).to_be_checked()
    await page.get_by_label("Language", exact=True).select_option("English")
    await expect(page.get_by_text("No run is like that.")).to_be_visible()


async def test_a_job_is_started_from_the_form_and_its_key_is_kept_nowhere(console: Console) -> None:
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("batch", "new")
    await page.get_by_label("Name", exact=True).fill("by hand")
    await page.get_by_label("Plugin under test", exact=True).fill(PLUGIN)
    await page.get_by_label("Plugins of the group").fill(PLUGIN)
    await page.get_by_label("Model", exact=True).fill("gpt-3.5-turbo-0613")
    await page.get_by_label("Prompt", exact=True).fill("Show me 5 T shirts from Klarna")
    await page.get_by_label("Expected plugin").fill(PLUGIN)
    await page.get_by_label("Expected operation").fill(PRODUCTS)
    await page.get_by_text("Keys of your own").click()
    await page.get_by_label("Key for the models").fill(SECRET)
    await expect(page.get_by_text("1 case × 1 permutation × 1 language = 1 run")).to_be_visible()
    await visitor.axe()
    await start(page)
    await expect(page.get_by_role("link", name="test 1, permutation 1, English: Passed")).to_be_visible()
    kept = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert SECRET not in kept + page.url
    asked = await console.server.asked()
    assert asked[-1]["body"]["model"] == "gpt-3.5-turbo-0613"
    await page.get_by_role("link", name="Start again").click()
    await expect(page.get_by_label("Name", exact=True)).to_have_value("by hand")
    await expect(page.get_by_label("Expected operation")).to_have_value(PRODUCTS)
    await page.get_by_text("Keys of your own").click()
    await expect(page.get_by_label("Key for the models")).to_have_value("")
    first = page.url
    await start(page)
    await expect(page.get_by_role("link", name="test 1, permutation 1, English: Passed")).to_be_visible()
    assert page.url != first


async def test_what_is_wrong_with_a_file_is_shown_by_its_place(console: Console) -> None:
    visitor = await console.visit("author")
    page = visitor.page
    text = (KLARNA / "job.yaml").read_text()
    line = next(n for n, said in enumerate(text.splitlines(), start=1) if "type: plugin_selector" in said)
    await pasting(visitor, text.replace("type: plugin_selector", "type: plugins"))
    await start(page)
    problem = page.get_by_role("alert").get_by_role("listitem")
    await expect(problem).to_contain_text(f"Line {line}: test_cases[0].type")
    await visitor.axe()
    await page.get_by_label("The job as YAML or JSON").fill("name: a\n  version: [1\n")
    await start(page)
    await expect(problem).to_contain_text(re.compile(r"Line \d+: the file"))
    store = console.server.app[keys.STORE]
    assert (await store.jobs.listed("default", state=None, limit=1, cursor=None)).items == []


async def test_the_matrix_is_whole_again_after_a_broken_line(console: Console) -> None:
    console.model.script([{**FOUND, "first_delay_ms": 100}])
    job_id = await begin(console, klarna_cases(40, concurrency=1))
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("batch", job_id)
    await expect(marks(page).nth(2)).to_be_visible()
    await visitor.drop()
    before = await marks(page).count()
    batches = console.server.app[keys.BATCHES]
    await until_results(batches, identity(), job_id, min(40, before + 10))
    await visitor.mend()
    await expect(page.get_by_text("40 of 40 runs")).to_be_visible()
    await expect(marks(page)).to_have_count(40)
    await expect(page.get_by_text("completed", exact=True)).to_be_visible()
    await expect(page.get_by_label("Figures")).to_contain_text(re.compile(r"Passed|Failed"))


async def test_a_job_is_followed_over_the_death_of_its_server(console: Console, tmp_path: Path) -> None:
    console.model.script([{**FOUND, "times": 3}, {"hang": True}])
    async with reborn(console.server.app[keys.SETTINGS], tmp_path / "server.log") as mortal:
        await mortal.start()
        console.server.url = mortal.url
        visitor = await console.visit("author")
        page = visitor.page
        await pasting(visitor, orjson.dumps(klarna_cases(9, concurrency=1)).decode())
        await start(page)
        await expect(marks(page)).to_have_count(3)
        await mortal.kill()
        await expect(page.get_by_text("away: it comes back by itself")).to_be_visible()
        await mortal.start()
        await expect(page.get_by_text("away: it comes back by itself")).to_be_hidden()
        await expect(page.get_by_role("alert")).to_have_count(0)
        await expect(page.get_by_text("3 of 9 runs")).to_be_visible()
        await page.reload()  # now by what the new process knows
        await expect(marks(page)).to_have_count(3)


async def test_a_job_is_stopped_though_the_line_breaks(console: Console) -> None:
    console.model.script([{**FOUND, "times": 2}, {"hang": True}])
    job_id = await begin(console, klarna_cases(9, concurrency=1))
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("batch", job_id)
    await expect(marks(page)).to_have_count(2)
    await page.get_by_role("button", name="Stop").click()
    await visitor.drop()
    await page.get_by_role("dialog").get_by_role("button", name="Stop the job").click()
    await expect(page.get_by_label("Notices")).to_contain_text("The server cannot be reached.")
    await visitor.mend()
    await expect(page.get_by_text("away: it comes back by itself")).to_be_hidden()
    await page.get_by_role("button", name="Stop").click()
    await page.get_by_role("dialog").get_by_role("button", name="Stop the job").click()
    await expect(page.get_by_text("cancelled", exact=True)).to_be_visible()
    await expect(page.get_by_text("2 of 9 runs")).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_a_late_answer_does_not_bring_back_what_was(console: Console) -> None:
    console.model.script([{"hang": True}])
    job_id = await begin(console, klarna_cases(3, concurrency=1))
    visitor = await console.visit("author")
    page = visitor.page
    async with held(page, f"**/api/jobs/{job_id}") as late:
        await visitor.open("batch", job_id)
        await expect(page.get_by_text("running", exact=True)).to_be_visible()
        await late.given()
        await page.get_by_role("button", name="Stop").click()
        await page.get_by_role("dialog").get_by_role("button", name="Stop the job").click()
        await expect(page.get_by_text("cancelled", exact=True)).to_be_visible()
        await late.arrive()
        await page.get_by_label("Failed only").check()  # draws again
        await expect(page).to_have_url(re.compile("failed=1"))
        assert await page.get_by_text("cancelled", exact=True).is_visible()


async def test_what_could_not_be_read_is_read_again(console: Console) -> None:
    job_id = await ended(console, demo())
    visitor = await console.visit("author")
    page = visitor.page
    await page.route(f"**/api/jobs/{job_id}/request", lambda route: route.abort())
    await visitor.open("batch", job_id)
    await expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
    await page.unroute_all()
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("alert")).to_have_count(0)
    await marks(page).first.click()
    expected = page.get_by_role("row", name="Operation").get_by_role("cell").nth(0)
    await expect(expected).to_have_text(PRODUCTS)  # which only the request has


async def test_reports_and_results_are_downloaded(console: Console) -> None:
    job_id = await ended(console, demo())
    visitor = await console.visit("ops")
    page = visitor.page
    await visitor.open("batch", job_id)
    await expect(marks(page)).to_have_count(12)
    await expect(page.get_by_role("link", name="Start again")).to_have_count(0)  # that is an author's
    for button, name, inside in (
        ("Report (HTML)", "html", "<html"),
        ("Table (CSV)", "csv", "permutation_name"),
        ("JUnit XML", "junit.xml", "<testsuite"),
        ("Results (JSON lines)", "results.jsonl", '"index":11'),
        ("Request (JSON)", "request.json", "klarna_plugin_test"),
    ):
        async with page.expect_download() as saved:
            await page.get_by_role("button", name=button).click()
        file = await saved.value
        assert file.suggested_filename == f"job-{job_id}.{name}"
        assert inside in (await file.path()).read_text()


async def test_a_thousand_results_are_shown_a_part_at_a_time(console: Console) -> None:
    console.model.script([FOUND])
    job_id = await ended(console, klarna_cases(1_200, concurrency=64))
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("batch", job_id)
    await expect(page.get_by_text("100 of 1,200 cases")).to_be_visible()
    await expect(marks(page)).to_have_count(100)
    await page.get_by_role("button", name="More cases").click()
    await expect(marks(page)).to_have_count(200)
    await page.get_by_label("Test case", exact=True).fill("case 1199")
    await expect(marks(page)).to_have_count(1)


def stored(result: BatchResult) -> bytes:
    """Return a result as it is stored, at the index of its test case."""
    index = int(result.test_case_name.removeprefix("case "))
    return result.model_copy(update={"index": index}).model_dump_json().encode()


async def test_what_is_left_out_of_a_large_job_is_said(console: Console) -> None:
    console.model.script([{"hang": True}])
    job_id = await begin(console, klarna_cases(20_011, concurrency=1))
    await console.model.until("running", 1)
    for first in range(0, 20_010, 2_001):  # as if they had been run: that takes minutes
        results = [result_of(job_id, n) for n in range(first, first + 2_001)]
        rows = [ResultRow(index=n, run=n, j=j) for n, j in enumerate(map(stored, results), start=first)]
        await console.store.results.append(job_id, rows)
    await console.store.jobs.change(job_id, when={}, update={"$set": {"results": 20_010}})
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("batch", job_id)
    await expect(page.get_by_text("20,010 of 20,011 runs")).to_be_visible()
    await expect(page.get_by_role("note")).to_contain_text("the first 20,000 of 20,010 results")
    await expect(page.get_by_text("100 of 20,011 cases")).to_be_visible()
    await visitor.open("batch", job_id, "20009")  # further ones are read one by one
    await expect(page.get_by_role("heading", name="Expected and detected")).to_be_visible()


async def test_a_phone_and_the_keyboard(console: Console) -> None:
    job_id = await ended(console, demo())
    visitor = await console.visit("author", phone=True)
    page = visitor.page
    await visitor.open("batch")
    await page.get_by_role("link", name="klarna_plugin_test").focus()
    await visitor.fits()
    await page.keyboard.press("Enter")
    await expect(marks(page)).to_have_count(12)
    await visitor.fits()
    await visitor.axe()
    await marks(page).first.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    await expect(page.get_by_role("heading", name="Expected and detected")).to_be_visible()
    await visitor.fits()
    await page.go_back()
    await expect(marks(page)).to_have_count(12)
    await visitor.open("batch", "new")
    await expect(page.get_by_label("Plugin under test", exact=True)).to_be_visible()
    await visitor.fits()
    assert job_id
