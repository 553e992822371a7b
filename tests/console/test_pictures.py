"""The demo's content in each view; `make screenshots` takes the pictures of docs/images here."""

from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest_asyncio
from playwright.async_api import Page, expect

from server.cli.demo import index, load_demo
from server.engine.packs import content_id
from server.llm.scripted import ScriptedModel
from server.transports import keys
from tests.console import pictured
from tests.console.visitor import Console
from tests.evaluator.trattoria import FILE, script, trattoria
from tests.support.attempts import Client, Talk
from tests.support.batch_jobs import KLARNA, MIRROR
from tests.support.clients import socket
from tests.support.playgrounds import indexed
from tests.support.running import Server, running, settings_for

PRACTICE = "Explaining without telling"
MAYA = "Maya Okafor"
LONG = 60_000  # ms


@pytest_asyncio.fixture
async def server(mongod_url: str, model: tuple[ScriptedModel, str], tmp_path: Path) -> AsyncIterator[Server]:
    """Run a server with the demo's content."""
    changes = {"url_mirror": MIRROR, "private_urls": True, "data_dir": tmp_path}
    settings = settings_for(mongod_url, model[1]).model_copy(update=changes)
    async with running(settings) as (url, app):
        packs, _ = await load_demo(app[keys.STORE], settings)
        await index(packs, by=app[keys.INDEXING])
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))


async def say(page: Page, text: str, *, count: int) -> None:
    """Say something to Maya and wait for what she answers."""
    await page.get_by_role("textbox", name=f"Write to {MAYA}").fill(text)
    await page.keyboard.press("Enter")
    said = page.get_by_role("log").get_by_role("listitem")
    await expect(said).to_have_count(count)
    await expect(said.last).to_have_attribute("data-state", "complete")


async def talk_of(learner: Client) -> Talk:
    """Begin the demo's first practice, past its lobby."""
    practice = content_id("office-hours", "practice", "explaining")
    ack = await learner.send("attempt_start", practice_id=practice)
    begun = await learner.send("attempt_next", attempt_id=ack["attempt_id"])
    return Talk(learner, ack["attempt_id"], begun["chat_id"], begun)


async def test_a_learner_practises(console: Console) -> None:
    console.model.script(pictured.TALK)
    visitor = await console.visit("learner")
    page = visitor.page
    await visitor.open("practise")
    await expect(page.get_by_role("button", name=f"Start {PRACTICE}")).to_be_visible()
    await visitor.shot("practise-list")
    await page.get_by_role("button", name=f"Start {PRACTICE}").click()
    await page.get_by_role("button", name="Begin the conversation").click()
    await say(page, pictured.EXPECTATION, count=3)
    await say(page, pictured.TRACE, count=5)
    await visitor.shot("practise")
    phone = await console.visit("learner", phone=True, profile_id=visitor.profile_id)
    await phone.open(page.url.split("#/")[1])
    await expect(phone.page.get_by_role("log")).to_contain_text("nobody did anything with it")
    await phone.page.emulate_media(color_scheme="dark")
    await phone.shot("practise-phone")
    await say(page, pictured.THANKS, count=7)
    await page.get_by_role("button", name="End and grade").click()
    await expect(page.get_by_text("17 of 20 points", exact=True)).to_be_visible()
    await expect(page.get_by_text("A question first")).to_be_visible()
    await visitor.shot("practise-grade")


async def test_an_author_watches(console: Console) -> None:
    console.model.script(pictured.TALK)
    server, visitor = console.server, await console.visit("author")
    page = visitor.page
    async with socket(server.url, {"token": server.token(visitor.profile_id)}) as learner:
        talk = await talk_of(learner)
        await visitor.open("watch")
        await expect(page.get_by_role("link", name="The third explanation").first).to_be_visible()
        await visitor.shot("watch-list")
        await visitor.open("watch", talk.room)
        await talk.say(pictured.EXPECTATION)
        await talk.say(pictured.TRACE)
        await expect(page.get_by_role("log")).to_contain_text("nobody did anything with it")
        await visitor.shot("watch")


async def test_an_author_tests_agents(console: Console) -> None:
    console.model.script(pictured.REPLAYS)
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("tests")
    await page.get_by_role("button", name="Test Between office hours").click()
    await expect(page.get_by_role("link", name=": Replayed")).to_have_count(66, timeout=LONG)
    await page.get_by_role("button", name="End and grade").click()
    await page.get_by_role("dialog").get_by_role("button", name="End and grade").click()
    await expect(page.get_by_role("link", name=": Passed")).to_have_count(55, timeout=LONG)
    await expect(page.get_by_role("link", name=": Not passed")).to_have_count(11, timeout=LONG)
    await expect(page.get_by_text("55 of 66 graded passed")).to_be_visible(timeout=LONG)
    await visitor.shot("tests")
    await page.get_by_role("link", name=": Not passed").first.click()
    await expect(page.get_by_role("region", name="Turn 1, replayed")).to_contain_text("The fix is")
    await visitor.shot("run")


async def test_an_author_sweeps_plugins(console: Console) -> None:
    console.model.script(orjson.loads((KLARNA / "script.json").read_bytes()))
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("batch", "new")
    await page.get_by_role("tab", name="File").click()
    await page.get_by_label("The job as YAML or JSON").fill((KLARNA / "job.yaml").read_text())
    await page.get_by_role("button", name="Start the job").click()
    await expect(page.get_by_text("12 of 12 runs")).to_be_visible()
    await visitor.shot("batch")
    await page.get_by_role("region", name="Matrix").get_by_role("link").nth(5).click()
    await expect(page.get_by_role("link", name="Back to the matrix")).to_be_visible()
    await visitor.shot("batch-result")


async def test_an_author_judges_an_agent(console: Console) -> None:
    console.model.script(script())
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("evaluators", "new")
    await page.get_by_role("tab", name="File").click()
    await page.get_by_label("Scenarios as YAML or JSON").fill(FILE.read_text())
    async with trattoria("wrong-date") as url:
        await page.get_by_label("Its WebSocket address").fill(url)
        await page.get_by_role("button", name="Store and start").click()
        await expect(page.get_by_text("completed", exact=True)).to_be_visible(timeout=LONG)
    await visitor.shot("evaluators")
    await page.get_by_role("link", name="All at once: failed").click()
    await expect(page.get_by_role("row", name="Books what it confirms")).to_be_visible()
    await visitor.shot("evaluators-run")


async def test_a_learner_asks_documents(console: Console) -> None:
    console.model.script([{"reply": pictured.FOUND}])
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("playground")
    await indexed(console.server, content_id("support-desk", "pipeline", "marcus-folder"))
    await page.get_by_role("link", name="Marcus's folder").click()
    await page.get_by_label("Your message").fill(pictured.QUESTION)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("log")).to_contain_text("not enough in the account")
    await expect(page.get_by_role("list", name="Sources").get_by_role("listitem")).not_to_have_count(0)
    await visitor.shot("playground")
    await page.get_by_role("tab", name="Documents").click()
    await expect(page.get_by_text("Bank account, printed on the tenth").first).to_be_visible()
    await visitor.shot("playground-documents")


async def test_an_author_has_a_persona_made(console: Console) -> None:
    console.model.script(pictured.NURSE)
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("author")
    await page.get_by_role("button", name="New").click()
    await page.get_by_label("What it becomes").select_option(label="Persona")
    await page.get_by_role("button", name="Begin").click()
    await page.get_by_label("What it should be").fill(pictured.WISH)
    await page.get_by_role("button", name="Generate").click()
    await expect(page.get_by_text("Everything is made")).to_be_visible()
    await expect(page.get_by_role("heading", name="Ruth Adeyemi", level=1)).to_be_visible()
    await visitor.shot("author")


async def test_ops_see_what_goes_on(console: Console) -> None:
    console.model.script([*pictured.TALK, {"reply": "Ok. " * 150, "delay_ms": 40}])
    server, visitor = console.server, await console.visit("ops")
    page = visitor.page
    await visitor.open("ops")
    async with socket(server.url, {"token": server.token(visitor.profile_id)}) as learner:
        for _ in range(4):
            talk = await talk_of(learner)
            await learner.until("attempt_assistant_complete", chat_id=talk.chat_id)
            await talk.send("Hello.")
        await expect(page.get_by_role("region", name="Going on")).to_contain_text("attempt")
        replies = page.get_by_role("figure", name="Replies").get_by_role("list")
        await expect(replies).to_contain_text("0 now, 0 to 4", timeout=LONG)
        await visitor.shot("ops")
