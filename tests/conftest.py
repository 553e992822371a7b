"""A real mongod for the whole run; a server, a scripted model and clients for each test."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from server.embedded.mongod import embedded_mongod
from server.embedded.valkey import embedded_valkey
from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.support.clients import Http, Socket, http_client, socket
from tests.support.databases import databases
from tests.support.running import Server, load_pack, running, settings_for


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mongod_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Run a mongod."""
    data: Path = tmp_path_factory.mktemp("mongod")
    async with embedded_mongod(data) as url:
        databases.live_at(url)
        yield url
        databases.close()


@pytest.fixture(autouse=True)
def own_databases() -> Iterator[None]:
    """Let the databases of a test be used again when it is over, but for those of longer lives."""
    longer = databases.lent()
    yield
    databases.give_back(but=longer)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Run a Valkey."""
    data: Path = tmp_path_factory.mktemp("valkey")
    async with embedded_valkey(data) as url:
        yield url


@pytest_asyncio.fixture
async def model() -> AsyncIterator[tuple[ScriptedModel, str]]:
    """Run a scripted model."""
    scripted = ScriptedModel()
    url = await scripted.start()
    yield scripted, url
    await scripted.stop()


@pytest_asyncio.fixture
async def server(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Server]:
    """Run a server with the tests' content."""
    async with running(settings_for(mongod_url, model[1])) as (url, app):
        await load_pack(app)
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))


class Cast:
    """Connects clients that are closed when the test ends."""

    def __init__(self, server: Server, stack: AsyncExitStack) -> None:
        self._server = server
        self._stack = stack
        self.learner_id = new()
        self.author_id = new()

    async def learner(self, **options: object) -> Socket:
        """Connect the learner once more."""
        return await self._socket(self._server.token(self.learner_id), options)

    async def author(self) -> Socket:
        """Connect an author."""
        return await self._socket(self._server.token(self.author_id, role="author"), {})

    async def author_http(self) -> Http:
        """Give the author an HTTP client, with a stream."""
        token = self._server.token(self.author_id, role="author")
        client = await self._stack.enter_async_context(http_client(self._server.door, token=token))
        await client.connect()
        return client

    async def foreign_author(self) -> Socket:
        """Connect an author of another organisation."""
        return await self._socket(self._server.token(new(), role="author", org="elsewhere"), {})

    async def ops(self) -> Socket:
        """Connect somebody of ops."""
        return await self._socket(self._server.token(new(), role="ops"), {})

    async def stranger(self) -> Socket:
        """Connect another learner."""
        return await self._socket(self._server.token(new()), {})

    async def guest(self, **auth: str) -> Socket:
        """Connect somebody without a token."""
        return await self._stack.enter_async_context(socket(self._server.door, auth))

    async def over(self, transport: str) -> Socket | Http:
        """Connect the learner once more, over a socket or over HTTP with a stream."""
        return await self.http() if transport == "http" else await self.learner()

    async def http(self, *, connect: bool = True) -> Http:
        """Give the learner an HTTP client, with a stream."""
        token = self._server.token(self.learner_id)
        client = await self._stack.enter_async_context(http_client(self._server.door, token=token))
        if connect:
            await client.connect()
        return client

    async def _socket(self, token: str, options: dict[str, object]) -> Socket:
        return await self._stack.enter_async_context(socket(self._server.door, {"token": token}, **options))


@pytest_asyncio.fixture
async def cast(server: Server) -> AsyncIterator[Cast]:
    """Give a test its clients."""
    async with AsyncExitStack() as stack:
        yield Cast(server, stack)
