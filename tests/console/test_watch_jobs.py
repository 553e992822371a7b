"""Watching the rooms of batch jobs and of evaluator results."""

from collections.abc import AsyncIterator

import orjson
import pytest_asyncio
from playwright.async_api import expect

from server.llm.scripted import ScriptedModel
from server.transports import keys
from tests.console.visitor import Console
from tests.evaluator.agents import Call, agent
from tests.evaluator.client import TEXT, agent_at, desk_of, ended, scenario_of
from tests.support.batch_jobs import KLARNA, MIRROR
from tests.support.batches import identity, until_ended
from tests.support.running import Server, running, settings_for


@pytest_asyncio.fixture
async def server(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Server]:
    """Run a server whose network is the demo's folder, and that may call agents of this machine."""
    model[0].script(orjson.loads((KLARNA / "script.json").read_bytes()))
    changes = {"url_mirror": MIRROR, "private_urls": True}
    async with running(settings_for(mongod_url, model[1]).model_copy(update=changes)) as (url, app):
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))


async def test_a_batch_job_is_watched(console: Console) -> None:
    batches = console.server.app[keys.BATCHES]
    job = await batches.start(identity(), orjson.loads((KLARNA / "job.json").read_bytes()))
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("watch", f"batch_{job.id}")
    await until_ended(batches, identity(), job.id)
    await expect(page.get_by_text("12 of 12")).to_be_visible()
    await expect(page.get_by_text("2 failed")).to_be_visible()
    await page.get_by_role("slider", name="Position").focus()
    await page.keyboard.press("Home")
    await expect(page.get_by_text("12 of 12")).to_have_count(0)
    await page.get_by_role("button", name="Live").click()
    await expect(page.get_by_text("12 of 12")).to_be_visible()
    await visitor.axe()


async def test_an_evaluator_result_is_watched(console: Console) -> None:
    async def talker(call: Call) -> None:
        await call.hear()
        await call.say("Let me see.")
        await call.hear()

    visitor = await console.visit("author")
    page = visitor.page
    async with desk_of(console.server) as desk, agent(talker) as called:
        author = await desk.person()
        scenario = await scenario_of(author, await agent_at(author, called.url))
        result = await author.post(TEXT, {"scenarios": [scenario], "freq": 2})
        await visitor.open("watch", f"result_{result['id']}")
        talks = page.get_by_text("Let me see.")
        await expect(talks).to_have_count(2)
        await author.post(f"results/{result['id']}/end_calls/", status=200)
        await ended(author, result["id"])
        await expect(page.get_by_text("2 of 2")).to_be_visible()
        await expect(talks).to_have_count(0)
        await visitor.axe()
