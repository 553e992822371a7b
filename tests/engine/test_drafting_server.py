"""Generating with settings of one's own: a daily limit, and an image model."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp

from server.llm.scripted import ScriptedModel
from tests.conftest import Cast
from tests.support.attempts import check_failure
from tests.support.generating import PARTS, complete, generate
from tests.support.rest import people_of
from tests.support.running import Server, load_pack, practice, running, settings_for

Model = tuple[ScriptedModel, str]


@asynccontextmanager
async def serving(mongod_url: str, model: Model, **settings: object) -> AsyncIterator[tuple[Server, Cast]]:
    """Run a server with settings, and people."""
    async with (
        running(settings_for(mongod_url, model[1], **settings)) as (url, app),
        AsyncExitStack() as stack,
    ):
        await load_pack(app)
        server = Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))
        yield server, Cast(server, stack)


async def test_a_day_has_its_limit(mongod_url: str, model: Model) -> None:
    async with serving(mongod_url, model, generations_per_day=2) as (server, cast):
        await server.script(*PARTS)
        author = await cast.author()
        first = await generate(author, "persona", "names", run_id="4d0f4e46-1b5a-4d5c-8f0b-0d2f6f6f2a01")
        await complete(author, first)
        await generate(author, "persona", "names", run_id=first["run_id"])  # the same run, not one more
        await complete(author, await generate(author, "persona", "names"))
        ack = await author.call(
            "generate", artifact_types=[{"name": "persona", "operation": "create"}], resource_types=["names"]
        )
        error = check_failure(author, ack, "rate_limited", retryable=True)
        assert 0 < error["retry_after"] <= 86_401
        learner = await cast.learner()
        for _ in range(2):
            await learner.send("attempt_start", practice_id=practice("wishful"))
        ack = await learner.call("attempt_start", practice_id=practice("wishful"))
        assert check_failure(learner, ack, "rate_limited", retryable=True)


async def test_images_are_drawn_and_kept(mongod_url: str, model: Model) -> None:
    async with serving(mongod_url, model, image_model="painter") as (server, cast):
        await server.script(*PARTS)
        author = await cast.author()
        done = await complete(author, await generate(author, "scenario", "images", save=True))
        async with people_of(server) as people:
            scenario = await people.a("author").get(f"scenarios/{done['artifact_id']}")
        image = scenario["images"][0]
        assert image["url"].startswith("/media/")
        async with aiohttp.ClientSession() as http, http.get(server.url + image["url"]) as response:
            assert response.status == 200
            assert response.content_type == "image/png"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert (await response.read()).startswith(b"\x89PNG")
        async with aiohttp.ClientSession() as http, http.get(server.url + image["url"][:-1]) as response:
            assert response.status == 404


async def test_images_that_the_endpoint_refuses_are_an_error(mongod_url: str, model: Model) -> None:
    async with serving(mongod_url, model, image_model="painter") as (server, cast):
        await server.script({"match": {"endpoint": "images"}, "status": 400}, *PARTS)
        author = await cast.author()
        ack = await generate(author, "document", "texts", "images", save=True)
        error = await author.until("generation_error", run_id=ack["run_id"])
        assert (error["resource_type"], error["code"]) == ("images", "upstream")
