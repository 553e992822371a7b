"""Generating with settings of one's own: a daily limit, and an image model."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import aiohttp

from schemas.generation import Step
from schemas.stored import Work
from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.transports import keys
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


async def test_no_day_allows_any(mongod_url: str, model: Model) -> None:
    async with serving(mongod_url, model, generations_per_day=0) as (server, cast):
        await server.script(*PARTS)
        author, learner = await cast.author(), await cast.learner()
        for _ in range(2):
            ack = await author.call(
                "generate",
                artifact_types=[{"name": "persona", "operation": "create"}],
                resource_types=["names"],
            )
            error = check_failure(author, ack, "unavailable", retryable=False)
            assert "GREENROOM_GENERATIONS_PER_DAY" in error["message"]
        ack = await learner.call("attempt_start", practice_id=practice("wishful"))
        check_failure(learner, ack, "unavailable", retryable=False)
        assert await server.asked() == []


async def test_images_are_drawn_and_kept(mongod_url: str, model: Model) -> None:
    async with serving(mongod_url, model, image_model="painter") as (server, cast):
        await server.script(*PARTS)
        author = await cast.author()
        done = await complete(author, await generate(author, "scenario", "images", save=True))
        async with people_of(server) as people:
            scenario = await people.a("author").get(f"scenarios/{done['artifact_id']}")
        image = scenario["images"][0]
        assert image["url"].startswith("/media/")
        assert (
            UUID(image["url"].removeprefix("/media/")).version == 4
        )  # random, not derived from the run's id
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


async def test_what_runs_never_hides_what_nobody_is_at(mongod_url: str, model: Model) -> None:
    async with serving(mongod_url, model) as (server, cast):
        await server.script({**PARTS[0], "first_delay_ms": 4000}, *PARTS)
        author = await cast.author()
        acks = [await generate(author, "persona", "names") for _ in range(50)]
        store, process = server.app[keys.STORE].generations, server.app[keys.PROCESS]
        running = await store.get(acks[0]["run_id"])
        assert running is not None
        last = "ffffffff" + new()[8:]  # the database gives them by their ids
        work = Work(id=new(), kind="generate", owner=process.name)
        idle = running.model_copy(update={"id": last, "steps": [Step(type="colors")], "work": [work]})
        assert await store.create(idle, [])
        for _ in range(2):  # it must be seen idle twice
            await server.app[keys.GENERATION_KEEPER].adopt_orphans()
        taken = await store.get(idle.id)
        assert taken is not None
        assert [w.fence for w in taken.work] in ([2], [])  # [] when it has ended since
