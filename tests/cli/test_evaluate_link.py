"""What follows a result goes on when its connection breaks, and hears everything once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import aiohttp
import pytest
import pytest_asyncio

from schemas.envelope import JsonObject
from server.cli.chat_link import Event
from server.cli.evaluate_link import EvaluateLink
from server.cli.failure import Failure
from server.cli.where import Reached
from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.evaluator.lab import Lab, lab_on
from tests.evaluator.trattoria import trattoria
from tests.support.proxy import proxy

WAITS = {
    "role": "Waits for what the desk never says.",
    "conditions": [{"id": 1, "condition": 'contains "never"', "action": "Oh.", "fixed_message": True}],
}
WITHIN = 20.0


@pytest_asyncio.fixture
async def lab(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Lab]:
    """Run a server that may call agents of this machine."""
    async with lab_on(mongod_url, model) as found:
        yield found


@dataclass
class Ears:
    """Remembers what is heard of a result."""

    heard: list[Event] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, event: Event) -> None:
        self.heard.append(event)
        self.changed.set()

    def named(self, name: str) -> list[JsonObject]:
        return [event.data for event in self.heard if event.name == name]

    async def until(self, ready: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN):
            while not ready():
                self.changed.clear()
                await self.changed.wait()


async def body_of(lab: Lab, agent_url: str, *, scenarios: int = 1) -> JsonObject:
    """Keep an agent and scenarios whose callers wait, and return what starts them."""
    agent = await lab.agent(agent_url, agent_gives_first_message=True)
    acts = {"conditional_actions": WAITS}
    ids = [await lab.scenario(agent, name=f"waits {n}", **acts) for n in range(scenarios)]
    return {"agent_id": agent, "scenarios": ids}


async def test_a_connection_that_breaks_is_made_again_and_nothing_is_heard_twice(lab: Lab) -> None:
    token = lab.server.token(lab.author.id, role="author")
    headers = {"Authorization": f"Bearer {token}"}
    ears = Ears()
    async with (
        trattoria() as agent,
        proxy(lab.server.url) as way,
        aiohttp.ClientSession(way.url, headers=headers) as http,
    ):
        link = EvaluateLink(Reached(url=way.url, token=token, http=http))
        runs = await link.start(await body_of(lab, agent, scenarios=2))
        following = asyncio.create_task(link.follow(ears.hear))
        await ears.until(lambda: len(ears.named("run_turn")) == 2)
        way.cut()
        await lab.evaluators.end_call(lab.author, runs[0]["id"])
        await ears.until(lambda: len(ears.named("run_ended")) == 1)
        way.cut()
        await link.cancel()
        result = await asyncio.wait_for(following, WITHIN)
    assert result["status"] == "cancelled"
    assert sorted(e["run_id"] for e in ears.named("run_ended")) == [run["id"] for run in runs]
    offsets = [event.data["offset"] for event in ears.heard]
    assert offsets == list(range(1, len(offsets) + 1))


async def test_a_result_that_has_ended_before_it_is_followed_is_told(lab: Lab) -> None:
    token = lab.server.token(lab.author.id, role="author")
    headers = {"Authorization": f"Bearer {token}"}
    async with trattoria() as agent, aiohttp.ClientSession(lab.server.url, headers=headers) as http:
        link = EvaluateLink(Reached(url=lab.server.url, token=token, http=http))
        await link.start(await body_of(lab, agent))
        await link.cancel()
        await lab.ended(link.result_id)
        result = await asyncio.wait_for(link.follow(lambda _: None), WITHIN)
        assert result["status"] == "cancelled"
        assert [run["status"] async for run in link.runs()] == ["cancelled"]


async def test_what_cannot_be_started_or_followed_is_told(lab: Lab) -> None:
    token = lab.server.token(new(), role="author")
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(lab.server.url, headers=headers) as http:
        link = EvaluateLink(Reached(url=lab.server.url, token=token, http=http))
        with pytest.raises(Failure, match="scenarios: Invalid scenario IDs"):
            await link.start({"scenarios": [2**40]})
        link.result_id = 2**40
        with pytest.raises(Failure, match="the result cannot be followed"):
            await link.follow(lambda _: None)
