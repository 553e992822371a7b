"""Webhooks: told once per end, signed, tried again, also by the next server."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from schemas.envelope import JsonObject
from server.engine.evaluator.webhooks import OF_AN_AGENT
from server.transports import keys
from tests.evaluator.agents import agent, patient
from tests.evaluator.lab import Lab, OpenLab
from tests.support.passing import passes

SECRET = "a webhook's secret"


@dataclass
class Ear:
    """Somebody's web server that is told; the first answers are `refusals`."""

    url: str = ""
    refusals: int = 0
    silent: int = 0  # of the following ones so many get no answer
    heard: list[tuple[JsonObject, bytes, dict[str, str]]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, request: web.Request) -> web.Response:
        """Take what is told."""
        body = await request.read()
        self.heard.append((orjson.loads(body), body, dict(request.headers)))
        self.news.set()
        if self.refusals < len(self.heard) <= self.refusals + self.silent:
            await asyncio.Event().wait()
        return web.Response(status=503 if len(self.heard) <= self.refusals else 204)

    async def until(self, count: int) -> None:
        """Return once it was told so many times."""
        async with asyncio.timeout(20):
            while len(self.heard) < count:
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def ear(refusals: int = 0, *, silent: int = 0) -> AsyncIterator[Ear]:
    """Run somebody's web server."""
    found = Ear(refusals=refusals, silent=silent)
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/told", found.listen)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/told"
        yield found
    finally:
        await runner.cleanup()


async def play(lab: Lab, told: Ear, **changes: object) -> int:
    """Have a result played whose end is told."""
    async with agent(patient) as called:
        hook = {"webhook_url": told.url, "webhook_secret": SECRET, **changes}
        result_id = await lab.start(await lab.scenario(await lab.agent(called.url, **hook)))
        await lab.ended(result_id)
    return result_id


def hasten(lab: Lab) -> None:
    """Let tries follow each other at once."""
    lab.server.app[keys.EVALUATOR_KEEPER].webhooks.delays = (0.0,) * 4


async def settled(lab: Lab, result_id: int) -> int:
    """Return how often a webhook was tried, once nobody tries it again."""
    async with asyncio.timeout(20):
        while (result := await lab.stored(result_id)).webhook_at or result.state != "ended":
            await lab.store.ping()
    return result.tries


async def test_the_end_is_told_signed_and_once(lab: Lab) -> None:
    async with ear() as told:
        result_id = await play(lab, told)
        assert await settled(lab, result_id) == 1
        await passes(1.2, because="nothing tells of what is not told again")
    ((message, body, headers),) = told.heard
    assert message["event_type"] == "result.completed"
    data = message["data"]
    assert (data["id"], data["status"], data["success_rate"]) == (result_id, "completed", 100.0)
    assert len(data["runs"]) == 1
    mark = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Greenroom-Signature"] == f"sha256={mark}"
    assert (headers["X-CEKURA-SECRET"], headers["Content-Type"]) == (SECRET, "application/json")


async def test_it_is_tried_five_times(lab: Lab) -> None:
    hasten(lab)
    async with ear(refusals=3) as kind, ear(refusals=100) as stubborn:
        assert await settled(lab, await play(lab, kind)) == 4
        assert await settled(lab, await play(lab, stubborn)) == 5
        assert (len(kind.heard), len(stubborn.heard)) == (4, 5)
    assert len({headers["X-Greenroom-Delivery"] for _, _, headers in kind.heard}) == 1


async def test_who_gave_no_secret_is_told_unsigned(lab: Lab) -> None:
    async with ear() as told:
        await settled(lab, await play(lab, told, webhook_secret=None))
    ((_, _, headers),) = told.heard
    assert not {"X-Greenroom-Signature", "X-CEKURA-SECRET"} & set(headers)


async def test_the_next_server_goes_on_telling(open_lab: OpenLab) -> None:
    async with ear(refusals=1) as told:
        async with open_lab() as first:
            database = first.server.app[keys.SETTINGS].mongodb_database
            first.server.app[keys.EVALUATOR_KEEPER].webhooks.delays = (3.0,) * 4
            result_id = await play(first, told)
            await told.until(1)
        async with open_lab(mongodb_database=database) as second:
            await told.until(2)
            assert await settled(second, result_id) == 2


async def test_a_try_that_a_stop_cuts_off_is_made_again_and_not_counted(open_lab: OpenLab) -> None:
    async with ear(silent=1) as told:
        async with open_lab() as first:
            database = first.server.app[keys.SETTINGS].mongodb_database
            result_id = await play(first, told)
            await told.until(1)
        async with open_lab(mongodb_database=database) as second:
            await told.until(2)  # earlier than the first one's lease of it ends
            assert await settled(second, result_id) == 1


async def test_who_does_not_answer_holds_up_only_itself(lab: Lab) -> None:
    async with ear(silent=100) as deaf, ear() as told, agent(patient) as called:
        slow = await lab.scenario(await lab.agent(called.url, webhook_url=deaf.url))
        for result_id in [await lab.start(slow) for _ in range(OF_AN_AGENT + 2)]:
            await lab.ended(result_id)
        await deaf.until(OF_AN_AGENT)
        await settled(lab, await play(lab, told))
        assert len(deaf.heard) == OF_AN_AGENT


async def test_private_addresses_are_not_told(open_lab: OpenLab) -> None:
    async with ear() as told, open_lab(private_urls=None) as lab:
        hasten(lab)
        hook = {"webhook_url": told.url, "webhook_secret": SECRET}
        result_id = await lab.start(await lab.scenario(await lab.agent("ws://127.0.0.1:1/", **hook)))
        view = await lab.ended(result_id)
        assert await settled(lab, result_id) == 5
    assert (view["status"], told.heard) == ("failed", [])


async def test_an_end_after_judging_anew_is_told_again(lab: Lab) -> None:
    async with ear() as told:
        result_id = await play(lab, told)
        await settled(lab, result_id)
        await lab.evaluators.evaluate_metrics(lab.author, result_id, None)
        await lab.ended(result_id, ends=2)
        await settled(lab, result_id)
    deliveries = [headers["X-Greenroom-Delivery"] for _, _, headers in told.heard]
    assert deliveries == [f"{result_id}-1", f"{result_id}-2"]
