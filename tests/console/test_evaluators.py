"""Evaluators in the page: what authors keep, runs as they go, and what was said and thought in each."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from server.llm.scripted import ScriptedModel
from tests.console.held import held
from tests.console.visitor import Console, Visitor
from tests.evaluator.agents import Call, agent, mute, patient
from tests.evaluator.client import TEXT, Client, Desk, agent_at, desk_of, ended, scenario_of
from tests.evaluator.trattoria import FILE, trattoria
from tests.support.running import Server, running, settings_for

ALL = "All at once"
BUG = "Books what it confirms"


@pytest_asyncio.fixture
async def server(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Server]:
    """Run a server that may call agents of this machine."""
    settings = settings_for(mongod_url, model[1]).model_copy(update={"private_urls": True})
    async with running(settings) as (url, app):
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))


@pytest_asyncio.fixture
async def desk(server: Server) -> AsyncIterator[Desk]:
    """Give a test people who use the interface without the page."""
    async with desk_of(server) as found:
        yield found


def rules_only(text: str) -> str:
    """Return the demo's file without the scenarios that need a model."""
    return text.partition("\n  - name: Grace in a hurry")[0]


def marks(page: Page) -> Locator:
    """Return the runs that the matrix shows."""
    return page.get_by_role("region", name="Scenarios and their runs").get_by_role("link")


async def pasting(visitor: Visitor, text: str) -> None:
    """Open a new run and paste a file into it."""
    await visitor.open("evaluators", "new")
    await visitor.page.get_by_role("tab", name="File").click()
    await visitor.page.get_by_label("Scenarios as YAML or JSON").fill(text)


async def started(author: Client, url: str, *, freq: int = 1, **body: Any) -> int:
    """Start a result of a caller who needs no model."""
    scenario = await scenario_of(author, await agent_at(author, url))
    begun = await author.post(TEXT, {"scenarios": [scenario], "freq": freq, **body})
    result: int = begun["id"]
    return result


async def test_a_pasted_file_is_run_and_a_failure_is_looked_into(console: Console) -> None:
    visitor = await console.visit("author")
    page = visitor.page
    async with trattoria("wrong-date") as url:
        await pasting(visitor, rules_only(FILE.read_text()))
        await page.get_by_label("Its WebSocket address").fill(url)
        await visitor.axe()
        await page.get_by_role("button", name="Store and start").click()
        await expect(page.get_by_text("10 of 10 runs")).to_be_visible(timeout=60_000)
    await expect(marks(page)).to_have_count(10)
    await visitor.axe()
    await page.get_by_label("Show").select_option("failed")
    await expect(marks(page)).to_have_count(6)
    await page.get_by_label("Scenario", exact=True).fill(ALL)
    await expect(marks(page)).to_have_count(1)
    await page.reload()  # the filters are in the address
    await page.get_by_role("link", name=f"{ALL}: failed").click()
    metric = page.get_by_role("row", name=BUG)
    await expect(metric).to_contain_text("does not hold")
    said = page.get_by_role("listitem")
    await expect(said.filter(has_text="It is booked")).to_contain_text(re.compile(r"Agent\s*\d\d:\d\d"))
    await expect(said.filter(has_text="book_table(")).to_contain_text('"day": "Saturday"')
    await visitor.axe()
    await page.get_by_role("link", name="Back to the runs").click()
    await expect(page.get_by_label("Show")).to_have_value("failed")


async def test_what_is_wrong_with_a_file_is_shown_and_nothing_stays(console: Console, desk: Desk) -> None:
    visitor = await console.visit("author")
    page = visitor.page
    text = rules_only(FILE.read_text())
    line = next(n for n, said in enumerate(text.splitlines(), start=1) if "max_duration: 60" in said)
    await pasting(visitor, text.replace("max_duration: 60", "max_duration: 5", 1))
    await page.get_by_label("Its WebSocket address").fill("ws://127.0.0.1:9/")
    await page.get_by_role("button", name="Store and start").click()
    problem = page.get_by_role("alert").get_by_role("listitem")
    await expect(problem).to_contain_text(f"Line {line}: scenarios[0].max_duration")
    await visitor.axe()
    author = await desk.person()
    for kind in ("aiagents", "metrics", "scenarios", "results"):
        assert (await author.get(f"{kind}/"))["count"] == 0, kind
    await page.get_by_label("Scenarios as YAML or JSON").fill(
        "scenarios:\n  - {name: a, metrics: [Unknown]}\n"
    )
    await page.get_by_role("button", name="Store and start").click()
    await expect(problem).to_contain_text("Line 2: scenarios[0].metrics metrics has no “Unknown”.")


async def test_a_run_is_started_from_what_is_kept(console: Console, desk: Desk) -> None:
    visitor = await console.visit("author")
    page = visitor.page
    author = await desk.person()
    async with agent(patient) as called:
        await visitor.open("evaluators", "aiagents", "new")
        await page.get_by_label("Name", exact=True).fill("Clerk")
        await page.get_by_label("WebSocket address").fill(called.url)
        await page.get_by_label("Who begins").select_option("false")
        await page.get_by_label("Secret", exact=True).fill("between us")
        await visitor.axe()
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("link", name="Clerk")).to_be_visible()
        clerk = (await author.get("aiagents/"))["results"][0]
        assert (clerk["agent_gives_first_message"], clerk["has_websocket_secret"]) == (False, True)
        await scenario_of(author, clerk["id"], name="greets")
        await author.create("personalities", name="Calm")
        await author.create("personalities", name="Curt")
        await visitor.open("evaluators", "new")
        await page.get_by_label("Agent", exact=True).select_option("Clerk")
        await page.get_by_label("greets").check()
        await page.get_by_label("How often each is run").fill("2")
        await page.get_by_text("Personalities, test profiles, address and headers").click()
        await page.get_by_label("Calm").check()
        await page.get_by_label("Curt").check()
        await page.get_by_label("Headers").fill("X-Shop 7")
        await page.get_by_role("button", name="Start", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text("Headers “X-Shop 7” has no colon")
        await page.get_by_label("Headers").fill("X-Shop: 7")
        await expect(page.get_by_text("4 runs", exact=True)).to_be_visible()
        await visitor.axe()
        await page.get_by_role("button", name="Start", exact=True).click()
        await expect(page.get_by_text("4 of 4 runs")).to_be_visible()
        assert {call.request.headers["X-Shop"] for call in called.calls} == {"7"}
        assert {call.request.headers["X-VOCERA-SECRET"] for call in called.calls} == {"between us"}
    await expect(page.get_by_role("columnheader", name="Calm")).to_be_visible()
    await expect(marks(page).filter(has_text="succeeded")).to_have_count(4)
    await page.get_by_label("Personality and profile").select_option("Curt")
    await expect(marks(page)).to_have_count(2)


async def test_runs_are_seen_as_they_go_over_a_broken_line(console: Console, desk: Desk) -> None:
    author = await desk.person()
    visitor = await console.visit("author")
    page = visitor.page

    async def talker(call: Call) -> None:
        await call.hear()
        await call.say("Let me see.")
        await call.hear()

    async with agent(talker) as called:
        result = await started(author, called.url, freq=3)
        await visitor.open("evaluators", "results", str(result))
        await expect(marks(page).filter(has_text="talking")).to_have_count(3)
        await marks(page).first.click()
        await expect(page.get_by_role("listitem").filter(has_text="Let me see.")).to_be_visible()
        await visitor.drop()
        await author.post(f"results/{result}/end_calls/", status=200)
        await ended(author, result)
        await visitor.mend()
        await expect(page.get_by_text("run-cancelled-by-user")).to_be_visible()
        await page.get_by_role("link", name="Back to the runs").click()
        await expect(page.get_by_text("3 of 3 runs")).to_be_visible()
        await expect(marks(page).filter(has_text="broken")).to_have_count(3)


async def test_a_late_answer_does_not_bring_back_what_was(console: Console, desk: Desk) -> None:
    author = await desk.person()
    visitor = await console.visit("author")
    page = visitor.page
    async with agent(mute) as called:
        result = await started(author, called.url)
        async with held(page, f"**/results/{result}/?transcripts=false") as late:
            await visitor.open("evaluators", "results", str(result))
            await expect(marks(page).filter(has_text="talking")).to_have_count(1)
            await late.given()
            await page.get_by_role("button", name="End all calls").click()
            await page.get_by_role("dialog").get_by_role("button", name="End the calls").click()
            await expect(page.get_by_text("cancelled", exact=True)).to_be_visible()
            await late.arrive()
            await page.get_by_label("Show").select_option("failed")  # draws again
            await expect(page).to_have_url(re.compile("show=failed"))
            assert await page.get_by_text("cancelled", exact=True).is_visible()


async def test_calls_are_ended_run_again_and_removed(console: Console, desk: Desk) -> None:
    author = await desk.person()
    visitor = await console.visit("author")
    page = visitor.page
    async with agent(mute) as called:
        result = await started(author, called.url)
        await visitor.open("evaluators", "results", str(result))
        await expect(marks(page).filter(has_text="talking")).to_have_count(1)
        await page.get_by_role("button", name="End all calls").click()
        await page.get_by_role("dialog").get_by_role("button", name="End the calls").click()
        await expect(page.get_by_text("cancelled", exact=True)).to_be_visible()
        before = page.url
        await page.get_by_role("button", name="Run again").click()
        await expect(page.get_by_role("button", name="End all calls")).to_be_visible()
        assert page.url != before
        await page.get_by_role("button", name="End all calls").click()
        await page.get_by_role("dialog").get_by_role("button", name="End the calls").click()
        await page.get_by_role("button", name="Remove").click()
        await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        await expect(page.get_by_role("table", name="Results").get_by_role("row")).to_have_count(2)
    assert (await author.get("results/"))["count"] == 1


def judging(*, met: bool) -> dict[str, Any]:
    """Return what a judge of outcomes says."""
    found = {"outcome": "The agent answers.", "met": met, "explanation": "So it is."}
    return {"match": {"schema": "OutcomesVerdict"}, "json": {"outcomes": [found]}}


async def test_one_call_is_ended(console: Console, desk: Desk) -> None:
    author = await desk.person()
    visitor = await console.visit("author")
    page = visitor.page
    async with agent(mute) as called:
        result = await started(author, called.url, freq=2)
        await visitor.open("evaluators", "results", str(result))
        await expect(marks(page).filter(has_text="talking")).to_have_count(2)
        await marks(page).first.click()
        await page.get_by_role("button", name="End this call").click()
        await expect(page.get_by_text("run-cancelled-by-user")).to_be_visible()
        await page.get_by_role("link", name="Back to the runs").click()
        await expect(marks(page).filter(has_text="talking")).to_have_count(1)
        await expect(page.get_by_text("1 of 2 runs")).to_be_visible()


async def test_runs_are_judged_anew(console: Console, desk: Desk) -> None:
    author = await desk.person()
    visitor = await console.visit("author")
    page = visitor.page
    console.model.script([judging(met=False)])
    async with agent(patient) as called:
        clerk = await agent_at(author, called.url)
        scenario = await scenario_of(author, clerk, expected_outcome_prompt="The agent answers.")
        result = (await author.post(TEXT, {"scenarios": [scenario]}))["id"]
        await ended(author, result)
    await visitor.open("evaluators", "results", str(result))
    await expect(marks(page).filter(has_text="failed")).to_have_count(1)
    console.model.script([judging(met=True)])
    await page.get_by_role("button", name="Judge anew").click()
    await expect(marks(page).filter(has_text="succeeded")).to_have_count(1)
    await marks(page).click()
    await expect(page.get_by_role("heading", name="Expected outcome: 100 %")).to_be_visible()


async def test_a_call_of_five_thousand_messages_is_read_in_parts(console: Console, desk: Desk) -> None:
    author = await desk.person()
    visitor = await console.visit("author")
    page = visitor.page
    async with agent(patient) as called:
        result = await started(author, called.url)
        (run_id,) = map(int, (await ended(author, result))["runs"])
    talked = (await console.store.evaluator_runs.some([run_id]))[run_id].talked
    assert talked
    *before, bye = talked.transcript
    said_often = talked.model_copy(update={"transcript": [*before[:1] * 5_000, bye]})
    update = {"$set": {"talked": said_often.model_dump_json()}}
    await console.store.evaluator_runs.change(run_id, when={}, update=update)
    await visitor.open("evaluators", "results", str(result), str(run_id))
    said = page.get_by_role("list").get_by_role("listitem")
    parts = page.get_by_role("navigation", name="Parts of the transcript").first
    await expect(parts).to_contain_text("1 to 200 of 5,001")
    await expect(said).to_have_count(200)
    await parts.get_by_role("button", name="End").click()
    await expect(parts).to_contain_text("5,001 to 5,001 of 5,001")
    await parts.get_by_role("button", name="Earlier").click()
    await expect(parts).to_contain_text("4,801 to 5,000 of 5,001")
    await expect(said).to_have_count(200)
    await visitor.axe()


async def test_reports_are_downloaded_and_ops_may_only_look(console: Console, desk: Desk) -> None:
    author = await desk.person()
    async with agent(patient) as called:
        result = await started(author, called.url)
        await ended(author, result)
    visitor = await console.visit("ops")
    page = visitor.page
    await visitor.open("evaluators", "results", str(result))
    await expect(marks(page).filter(has_text="succeeded")).to_have_count(1)
    await expect(page.get_by_role("button", name="Run again")).to_have_count(0)
    for button, name, inside in (
        ("Report (HTML)", "html", "<html"),
        ("JUnit XML", "junit.xml", "<testsuite"),
        ("Result with transcripts (JSON)", "json", "[00:00] Testing Agent: Hello"),
    ):
        async with page.expect_download() as saved:
            await page.get_by_role("button", name=button).click()
        file = await saved.value
        assert file.suggested_filename == f"result-{result}.{name}"
        assert inside in (await file.path()).read_text()


async def test_a_phone_and_the_keyboard(console: Console, desk: Desk) -> None:
    author = await desk.person()
    async with agent(patient) as called:
        result = await started(author, called.url, freq=2, name="by phone")
        await ended(author, result)
    visitor = await console.visit("author", phone=True)
    page = visitor.page
    await visitor.open("evaluators")
    await page.get_by_role("link", name="by phone").focus()
    await visitor.fits()
    await page.keyboard.press("Enter")
    await expect(marks(page)).to_have_count(2)
    await visitor.fits()
    await visitor.axe()
    await marks(page).last.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    await expect(page.get_by_role("listitem").filter(has_text="Yes?")).to_be_visible()
    await visitor.fits()
    for place in ("new", "scenarios", "scenarios/1", "metrics/new"):
        await visitor.open("evaluators", *place.split("/"))
        await expect(page.get_by_role("heading", level=1)).to_be_focused()
        await visitor.fits()
