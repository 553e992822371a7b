"""Every test on one server and on two, with people of its own; the learner, over every transport."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from server.llm.scripted import ScriptedModel
from tests.conftest import Cast
from tests.support.attempts import Client
from tests.support.clients import Socket
from tests.support.running import Server, load_pack, running, settings_for


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests in the loop of the server that they share."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=["one", "two"])
async def shared_server(
    mongod_url: str, valkey_url: str, request: pytest.FixtureRequest
) -> AsyncIterator[Server]:
    """Run a server and a scripted model, or two servers with a bell between them."""
    model = ScriptedModel()
    model_url = await model.start()
    several = request.param == "two"
    bell = SecretStr(valkey_url) if several else None
    settings = settings_for(mongod_url, model_url, redis_url=bell)
    async with AsyncExitStack() as stack:
        url, app = await stack.enter_async_context(running(settings))
        await load_pack(app)
        others = [await stack.enter_async_context(running(settings)) for _ in range(1 if several else 0)]
        yield Server(
            url=url,
            app=app,
            model=model,
            model_url=model_url.removesuffix("/v1"),
            siblings=tuple(other for other, _ in others),
            apps=(app, *(other for _, other in others)),
        )
    await model.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def server(shared_server: Server) -> Server:
    """Give a test the server, with a model that has not been told or asked anything."""
    shared_server.model.script([])
    shared_server.model.requests.clear()
    return shared_server


@pytest_asyncio.fixture(loop_scope="session")
async def cast(server: Server) -> AsyncIterator[Cast]:
    """Give a test its people."""
    async with AsyncExitStack() as stack:
        yield Cast(server, stack)


@pytest_asyncio.fixture(loop_scope="session")
async def learner(cast: Cast) -> Socket:
    """Connect the learner's socket."""
    return await cast.learner()


@pytest_asyncio.fixture(params=["socket", "http"], loop_scope="session")
async def client(cast: Cast, request: pytest.FixtureRequest) -> Client:
    """Connect the learner over each transport in turn."""
    return await cast.over(request.param)


@pytest_asyncio.fixture(loop_scope="session")
async def author(cast: Cast) -> Socket:
    """Connect the author's socket."""
    return await cast.author()


@pytest_asyncio.fixture(params=["socket", "http"], loop_scope="session")
async def runner(cast: Cast, request: pytest.FixtureRequest) -> Client:
    """Connect the author over each transport in turn."""
    return await cast.author() if request.param == "socket" else await cast.author_http()
