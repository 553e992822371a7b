"""A client that holds answers, requests, and what is read of queries to the document."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import MultiDict

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.documents.checked import Checked
from tests.support.running import Server, load_pack, running, settings_for

Parameter = tuple[str, str, str]
NOTED = web.RequestKey[set[Parameter]]("noted")


class Query(MultiDict[str]):
    """The query of a request, which notes what is read of it."""

    def __init__(self, request: web.Request, noted: set[Parameter]) -> None:
        super().__init__(request.rel_url.query)
        self._request = request
        self._noted = noted

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """Return a parameter."""
        self._noted.add((self._request.method, self._request.path, key))
        return super().get(key, default)

    def getall(self, key: str, default: list[str] | None = None) -> list[str]:  # type: ignore[override]
        """Return a parameter that may be given several times."""
        self._noted.add((self._request.method, self._request.path, key))
        return super().getall(key, default or [])


class Noting(web.Request):
    """A request that notes what is read of its query."""

    __slots__ = ()

    @property
    def query(self) -> Query:
        """Return the parameters."""
        return Query(self, self[NOTED])


@pytest.fixture
def queries() -> set[Parameter]:
    """Take note of the parameters that handlers read: method, path and name."""
    return set()


@pytest_asyncio.fixture
async def server(
    mongod_url: str, model: tuple[ScriptedModel, str], queries: set[Parameter]
) -> AsyncIterator[Server]:
    """Run a server whose handlers read queries that take note."""

    @web.middleware
    async def noting(request: web.Request, handler: Handler) -> web.StreamResponse:
        request.__class__ = Noting
        request[NOTED] = queries
        return await handler(request)

    settings = settings_for(mongod_url, model[1])
    async with running(settings, middlewares=[noting]) as (url, app):
        await load_pack(app)
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Give a test HTTP."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture
async def checked(
    server: Server, http: aiohttp.ClientSession, queries: set[Parameter]
) -> AsyncIterator[Checked]:
    """Give a test an author whose requests and answers are held to the document."""
    async with http.get(f"{server.url}/openapi.json") as response:
        document = await response.json()
    client = Checked(http, server.url, document)
    client.headers["Authorization"] = f"Bearer {server.token(new(), role='author')}"
    yield client
    assert [read for read in sorted(queries) if not client.declares(*read)] == []
