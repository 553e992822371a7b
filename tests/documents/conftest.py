"""A client that holds answers, requests, and what is read of queries to the document."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from multidict import MultiDict

from server.engine.ids import new
from tests.documents.checked import Checked
from tests.support.running import Server


class Query(MultiDict[str]):
    """The query of a request, which notes what is read of it."""

    def __init__(self, request: web.Request, noted: set[tuple[str, str, str]]) -> None:
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


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str, str]]:
    """Note the parameters that handlers read: method, path and name."""
    noted: set[tuple[str, str, str]] = set()
    monkeypatch.setattr(web.Request, "query", property(lambda request: Query(request, noted)))
    return noted


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Give a test HTTP."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture
async def checked(
    server: Server, http: aiohttp.ClientSession, queries: set[tuple[str, str, str]]
) -> AsyncIterator[Checked]:
    """Give a test an author whose requests and answers are held to the document."""
    async with http.get(f"{server.url}/openapi.json") as response:
        document = await response.json()
    client = Checked(http, server.url, document)
    client.headers["Authorization"] = f"Bearer {server.token(new(), role='author')}"
    yield client
    assert [read for read in sorted(queries) if not client.declares(*read)] == []
