"""Files that are pasted, chosen and dropped, and what the page says of those that are no good."""

import json
import re
from collections.abc import AsyncIterator
from io import StringIO
from typing import Any

import orjson
import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect
from ruamel.yaml import YAML

from server.llm.scripted import ScriptedModel
from server.transports.uploads import FREE, MOST_BYTES, UPLOADS
from tests.console.visitor import Console
from tests.evaluator.agents import agent, patient
from tests.evaluator.lab import HELLO_BYE
from tests.support.batch_jobs import KLARNA, MIRROR, klarna_cases
from tests.support.running import Server, running, settings_for

JOB = "The job as YAML or JSON"
SCENARIOS = "Scenarios as YAML or JSON"
SIZE = "2 cases × 3 permutations × 2 languages = 12 runs"


@pytest_asyncio.fixture
async def server(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Server]:
    """Run a server whose network is the demo's folder and this machine."""
    model[0].script(orjson.loads((KLARNA / "script.json").read_bytes()))
    changes = {"url_mirror": MIRROR, "private_urls": True}
    settings = settings_for(mongod_url, model[1]).model_copy(update=changes)
    async with running(settings) as (url, app):
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))


def evaluation(url: str) -> dict[str, Any]:
    """Return a file of one scenario that needs no model."""
    acts = {"scenario_type": "conditional_actions", "conditional_actions": HELLO_BYE}
    shop = {"agent_name": "shop", "websocket_url": url, "agent_gives_first_message": False}
    return {"agent": shop, "scenarios": [{"name": "greets", **acts}]}


def written(value: object, kind: str) -> str:
    """Return something as a file holds it."""
    if kind == "json":
        return json.dumps(value)
    text = StringIO()
    YAML().dump(value, text)
    return text.getvalue()


async def dropped(target: Locator, text: str, *, name: str, times: int = 1) -> None:
    """Drop a file on something, with each § in it so many times."""
    files = await target.page.evaluate_handle(
        "([text, name, times]) => { const all = new DataTransfer();"
        " all.items.add(new File([text.replaceAll('§', '§'.repeat(times))], name)); return all }",
        [text, name, times],
    )
    await target.dispatch_event("dragover", {"dataTransfer": files})
    await target.dispatch_event("drop", {"dataTransfer": files})


def problem(page: Page) -> Locator:
    """Return what is wrong, each with its place."""
    return page.get_by_role("alert").get_by_role("listitem")


@pytest.mark.parametrize("kind", ["json", "yaml"])
async def test_a_job_is_dropped_on_the_form_or_pasted(console: Console, kind: str) -> None:
    visitor = await console.visit("author")
    page = visitor.page
    text = (KLARNA / f"job.{kind}").read_text()
    await visitor.open("batch", "new")
    await dropped(page.get_by_label("Plugin under test", exact=True), text, name=f"job.{kind}")
    await expect(page.get_by_text(f"job.{kind} was read.")).to_be_visible()
    await expect(page.get_by_text(SIZE)).to_be_visible()
    await page.get_by_label(JOB).fill("")
    await expect(page.get_by_text(SIZE)).to_be_hidden()
    await page.get_by_label(JOB).fill(text)
    await page.get_by_role("tab", name="Form").click()
    await expect(page.get_by_label("Name", exact=True)).to_have_value("klarna_plugin_test")
    await page.get_by_role("button", name="Start the job").click()
    await expect(page.get_by_text("12 of 12 runs")).to_be_visible()


@pytest.mark.parametrize("kind", ["json", "yaml"])
async def test_scenarios_are_dropped_on_the_form_or_pasted(console: Console, kind: str) -> None:
    visitor = await console.visit("author")
    page = visitor.page
    async with agent(patient) as called:
        text = written(evaluation(called.url), kind)
        await visitor.open("evaluators", "new")
        await dropped(page.get_by_role("tab", name="Form"), text, name=f"scenarios.{kind}")
        await expect(page.get_by_label(SCENARIOS)).to_have_value(text)
        await page.get_by_label(SCENARIOS).fill(text.replace("greets", "says hello"))
        await page.get_by_role("button", name="Store and start").click()
        await expect(page.get_by_role("link", name="says hello: succeeded")).to_be_visible()


async def test_a_large_file_is_held_and_what_is_wrong_in_it_is_named(console: Console) -> None:
    visitor = await console.visit("author")
    page = visitor.page
    job = klarna_cases(700)
    for case in job["test_cases"]:
        case["prompt"] += " §"
    job["test_cases"][698]["type"] = "plugins"
    await visitor.open("batch", "new")
    text = json.dumps(job, ensure_ascii=False)  # the page makes 20 MB of it: more than a driver sends in time
    await dropped(page.get_by_label("Name", exact=True), text, name="large.json", times=15_000)
    await expect(page.get_by_text("it is too long to be shown")).to_contain_text(
        f"{len(text) + 700 * 14_999:,}"
    )
    others = console.server.app[UPLOADS].enter()
    others.grow(MOST_BYTES + FREE)
    await page.get_by_role("button", name="Start the job").click()
    await expect(page.get_by_role("alert")).to_contain_text("Too many large bodies")
    others.leave()
    await page.get_by_role("button", name="Start the job").click()
    await expect(problem(page)).to_contain_text("test_cases[698].type")
    await page.get_by_role("button", name="Remove it").click()
    await expect(page.get_by_label(JOB)).to_have_value("")


async def test_what_is_no_file_of_scenarios_is_said(console: Console) -> None:
    visitor = await console.visit("author")
    page = visitor.page
    start = page.get_by_role("button", name="Store and start")
    await visitor.open("evaluators", "new")
    await page.get_by_role("tab", name="File").click()
    await start.click()
    await expect(problem(page)).to_have_text("the file There is nothing in it yet.")
    await page.get_by_label(SCENARIOS).fill("agent: {}\nscenarios: [\n")
    await start.click()
    await expect(problem(page)).to_contain_text(re.compile(r"Line \d: the file"))
    await page.get_by_label(SCENARIOS).fill("- name: greets\n")
    await start.click()
    await expect(problem(page)).to_contain_text("Line 1: the file A file of scenarios is one object")
    await page.get_by_label(SCENARIOS).fill("agent: {}\nscenario: []\n")
    await start.click()
    await expect(problem(page).first).to_contain_text("Line 2: scenario scenario is no part")
    await dropped(page.get_by_label(SCENARIOS), "§", name="much.yaml", times=35_000_000)
    await expect(page.get_by_text("much.yaml has 70 MB; at most 67.1 MB are taken.")).to_be_visible()
    await expect(page.get_by_label(SCENARIOS)).to_have_value("agent: {}\nscenario: []\n")


async def test_a_start_without_a_line_is_said_and_starts_once_later(console: Console) -> None:
    visitor = await console.visit("author")
    page = visitor.page
    start = page.get_by_role("button", name="Start the job")
    await visitor.open("batch", "new")
    await page.get_by_label("Name", exact=True).fill("by hand")
    await page.get_by_role("tab", name="File").click()
    text = (KLARNA / "job.json").read_text()
    await page.get_by_label(JOB).fill(text)
    await visitor.drop()
    await start.click()
    await expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
    await expect(page.get_by_label(JOB)).to_have_value(text)
    await visitor.mend()
    await start.click()
    await expect(page.get_by_text("12 of 12 runs")).to_be_visible()
    jobs = await console.store.jobs.listed("default", state=None, limit=5, cursor=None)
    assert len(jobs.items) == 1
