"""Listening in the page to what others say: a learner with a persona, and a call of an agent."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Page, expect

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.transports import keys
from tests.console.visitor import Console
from tests.evaluator.client import VOICE, agent_at, desk_of, scenario_of
from tests.events.test_attempt_audio import ready, say, understanding
from tests.support.attempts import begin
from tests.support.clients import socket
from tests.support.running import Server, load_pack, running, settings_for
from tests.voice.agents import PcmWire, spoken, voice_agent

LONG = "This is the bakery. We are open from six in the morning. " * 4


@pytest_asyncio.fixture
async def server(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Server]:
    """Run a server that may call agents of this machine."""
    settings = settings_for(mongod_url, model[1]).model_copy(update={"private_urls": True})
    async with running(settings) as (url, app):
        await load_pack(app)
        at = model[1].removesuffix("/v1")
        yield Server(url=url, app=app, model=model[0], model_url=at, apps=(app,))


async def listening(page: Page, words: str) -> None:
    """Wait until the page says how it listens."""
    await expect(page.get_by_role("region", name="Sound").get_by_role("status")).to_have_text(words)


async def test_a_learner_and_a_persona_are_heard(console: Console) -> None:
    server = console.server
    await server.script(*[{"chunks": ["Fine."]}] * 3)
    visitor = await console.visit("author")
    page = visitor.page
    listen = page.get_by_role("button", name="Listen")
    async with (
        socket(server.url, {"token": server.token(new(), role="learner")}) as learner,
        understanding(server, "How are you", "And now", "Still there"),
    ):
        talk = await begin(learner)
        await visitor.open("watch", talk.room)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await expect(listen).to_have_count(0)  # nobody speaks
        await ready(talk)
        await listen.click()
        await listening(page, "Waiting for sound")
        await say(talk)
        await listening(page, "Listening")
        await visitor.axe()
        await visitor.drop()
        await listening(page, "Getting ready…")
        await visitor.mend()
        await listening(page, "Waiting for sound")
        await learner.until("attempt_assistant_complete", chat_id=talk.chat_id)
        await say(talk)
        await listening(page, "Listening")
        await page.get_by_role("button", name="Stop listening").click()
        await learner.until("attempt_assistant_complete", chat_id=talk.chat_id, count=2)
        await say(talk)
        await expect(page.get_by_text("Still there")).to_be_visible()
        await learner.send("attempt_audio_stop", chat_id=talk.chat_id)
        await expect(listen).to_have_count(0)


async def test_a_call_is_heard_while_it_goes_on(console: Console) -> None:
    server = console.server
    speech = server.app[keys.SPEECH]
    await speech.open()
    visitor = await console.visit("author")
    page = visitor.page
    async with (
        desk_of(server) as desk,
        voice_agent(PcmWire, greeting=await spoken(speech, LONG), lines=[]) as called,
    ):
        voice = {"voice_transport": "raw_pcm", "voice_url": called.url}
        author = await desk.person()
        scenario = await scenario_of(author, await agent_at(author, **voice))
        begun = await author.post(VOICE, {"scenarios": [scenario]})
        run = begun["runs"][0]["id"]
        await visitor.open("evaluators", "results", str(begun["id"]), str(run))
        await page.get_by_role("button", name="Listen").click()
        await listening(page, "Listening")
        await page.get_by_role("button", name="End this call").click()
        await expect(page.get_by_role("region", name="Sound")).to_have_count(0)
        await expect(page.get_by_role("button", name="Play the call")).to_be_visible()
